/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/roles.h"

#include "base/error.h"

typedef struct Check {
    UserCall *call;
    AccountRole least;
} Check;

enum {
    CHECK_E_NOT = 1,
};

static int check(DbTx *tx, void *userdata) {
    const Check *check = userdata;
    UserCall *call = check->call;
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    if (r < 0) {
        return err_trace(r);
    }
    return r == 0 && account.status == ACCOUNT_ACTIVE && account.role >= (int)check->least
               ? 0
               : CHECK_E_NOT;
}

UserFailure roles_require(UserCall *call, AccountRole least) {
    Check work = {call, least};
    int r = db_read(call->service->options.db, NULL, check, &work);

    if (r < 0) {
        return user_call_fault(call, r);
    }
    if (r != 0) {
        call->detail =
            arena_printf(call->arena, "This needs the role %s.", account_role_names[least]);
        return USER_FAILURE_FORBIDDEN;
    }
    return USER_FAILURE_NONE;
}
