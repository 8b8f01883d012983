/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "services/user/account_store.h"
#include "services/user/call.h"

/*
 * In a transaction: in how many ways the account can be signed in to. Its password, each passkey,
 * and each identity at an issuer that is configured. The last one is not taken away.
 */
int ways_count(DbTx *tx, UserCall *call, const Account *account, size_t *ret_n);
