/* SPDX-License-Identifier: Apache-2.0 */
#include "app/user_argument.h"

#include "services/user/account_store.h"
#include "services/user/text.h"

typedef struct Lookup {
    const Vault *vault;
    Arena *arena;
    const char *email;
    Uuid user_id;
} Lookup;

static int find_user(DbTx *tx, void *userdata) {
    Lookup *lookup = userdata;
    uint8_t hash[VAULT_HASH_LEN];

    vault_hash_email(lookup->vault, str_from(lookup->email), hash);
    return account_store_find_id(tx, hash, lookup->arena, &lookup->user_id);
}

int user_argument_read(const CliCall *call, const KeyAccess *access, const char *option,
                       const char *text, Uuid *ret_user) {
    Lookup lookup = {.vault = access->vault, .arena = call->arena};
    int r;

    if (uuid_parse(str_from(text), ret_user) == 0) {
        return EXIT_OK;
    }
    if (email_canonical(str_from(text), call->arena, &lookup.email) < 0) {
        return cli_usage(call->command, "%s '%s' is neither an id nor an address", option, text);
    }
    r = db_read(access->db, NULL, find_user, &lookup);
    if (r != 0) {
        return cli_no_start("%s", r < 0 ? strerrordesc_np(-r) : "nobody has that address");
    }
    *ret_user = lookup.user_id;
    return EXIT_OK;
}
