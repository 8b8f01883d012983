/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who may do more than use their own account. */

#include "services/user/account_store.h"
#include "services/user/call.h"

/*
 * Of a call that is signed in: whether its account is active and has that role or a higher one.
 * Read from the table each time, so that a role that was taken away is gone at once.
 * USER_FAILURE_FORBIDDEN when not.
 */
UserFailure roles_require(UserCall *call, AccountRole least);
