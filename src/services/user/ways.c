/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/ways.h"

#include "base/error.h"
#include "services/user/issuer/identity_store.h"
#include "services/user/issuer/part.h"
#include "services/user/passkey/passkey_store.h"

int ways_count(DbTx *tx, UserCall *call, const Account *account, size_t *ret_n) {
    Identity *identities;
    size_t n_identities, n_passkeys, n;
    int r = passkey_store_count(tx, &account->key.user_id, call->arena, &n_passkeys);

    if (r == 0) {
        r = identity_store_list(tx, &account->key, call->arena, &identities, &n_identities);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    n = (account->password ? 1 : 0) + n_passkeys;
    for (size_t i = 0; i < n_identities; i++) {
        n += issuer_is_configured(call->service, identities[i].issuer);
    }
    *ret_n = n;
    return 0;
}
