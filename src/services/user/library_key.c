/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/library_key.h"

#include "base/crypto/digest.h"
#include "base/error.h"
#include "services/user/account_store.h"

int library_key_of(DbTx *tx, const Vault *vault, const Uuid *user_id, Arena *arena,
                   UserKey *ret_key) {
    _cleanup_(user_key_done) UserKey key = {0};
    int r = account_store_key(tx, vault, user_id, arena, &key);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    ret_key->user_id = *user_id;
    digest_hkdf((Str){(const char *)key.bytes, sizeof(key.bytes)}, (Str){0},
                str_lit("imagesync/library"), ret_key->bytes, sizeof(ret_key->bytes));
    return 0;
}
