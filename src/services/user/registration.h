/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Opening an account, for whoever has proved that an address is theirs. */

#include "services/user/account_store.h"
#include "services/user/call.h"

/*
 * In a transaction: adds `account` (whose key is made), with the welcome credits, a session that
 * was proved by `methods`, and the first row of its trail, about `subject` (or NULL). 0,
 * ACCOUNT_E_EXISTS (the address has one), or a fault.
 */
int registration_open(DbTx *tx, UserCall *call, Account *account, uint32_t methods,
                      const char *device, const char *subject, Session *ret_session,
                      char ret_token[SESSION_TOKEN_LEN + 1]);
