/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An account as its owner sees it, and what a profile has to be like. */

#include "services/user/account_store.h"
#include "services/user/call.h"

/* {"id", "email", "name", "locale", "zone", "role", "status", "totp", "password", "created",
 * "erase"} */
json_t *account_json(const Account *account);

UserFailure account_check_profile(UserCall *call, const Profile *profile);
