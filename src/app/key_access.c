/* SPDX-License-Identifier: Apache-2.0 */
#include "app/key_access.h"

#include "adapters/db/migrations.h"
#include "app/registry.h"
#include "base/error.h"
#include "base/log.h"

#define COMMAND_WORDS_MAX 32
#define COMMAND_MS        30000

static const char *const *split_words(const char *command, Arena *arena) {
    const char **argv = arena_alloc(arena, (COMMAND_WORDS_MAX + 1) * sizeof(*argv));
    Str rest = str_from(command), word;
    size_t n = 0;

    while (str_next_token(&rest, " ", &word)) {
        if (word.len > 0 && n < COMMAND_WORDS_MAX) {
            argv[n++] = arena_strdup(arena, word);
        }
    }
    argv[n] = NULL;
    return argv;
}

int key_access_open(const Settings *settings, bool create, Arena *arena, MasterKeyRing **ret_keys,
                    const char **reterr_text) {
    const char *reason = "";
    bool command = settings->master_key_command[0] != '\0';
    MasterKeySource source = {.path = settings->master_key, .timeout_ms = COMMAND_MS};
    int r = 0;

    if (command) {
        source.argv = split_words(settings->master_key_command, arena);
    } else if (create) {
        r = master_key_file_create(settings->master_key);
        if (r == 0) {
            log_info("master key made");
        }
    }
    r = r < 0 ? r : master_key_ring_new(&source, ret_keys, &reason);
    if (r == 0) {
        return 0;
    }
    *reterr_text = arena_printf(arena, "--master-key%s: %s", command ? "-command" : "",
                                r > 0 ? reason : strerrordesc_np(-r));
    return -EINVAL;
}

static int open_vault(KeyAccess *access, const char **reterr_text) {
    int r = vault_new(access->db, access->keys, &access->vault);

    if (r != 0) {
        *reterr_text = r > 0 ? "the master key is not the one that this database was made with; "
                               "give the right one with --master-key"
                             : strerrordesc_np(-r);
    }
    return r > 0 ? -EINVAL : r;
}

int key_access_start(const Settings *settings, Arena *arena, KeyAccess *ret_access,
                     const char **reterr_text) {
    _cleanup_(key_access_done) KeyAccess access = {0};
    MigrationList list;
    int r = registry_open_database(settings, true, arena, &access.db, reterr_text);

    if (r == 0) {
        r = migrations_list(access.db, migrations_embedded, arena, &list, reterr_text);
    }
    if (r != 0) {
        return r > 0 ? -EINVAL : r;
    }
    if (list.n_pending > 0) {
        *reterr_text = "the database lacks migrations of this version; run 'imagesync migrate up' "
                       "before";
        return -EINVAL;
    }
    r = key_access_open(settings, false, arena, &access.keys, reterr_text);
    if (r == 0) {
        r = open_vault(&access, reterr_text);
    }
    if (r < 0) {
        return r;
    }
    *ret_access = access;
    access = (KeyAccess){0};
    return 0;
}

void key_access_done(KeyAccess *access) {
    if (access->vault) {
        vault_free(access->vault);
    }
    if (access->keys) {
        master_key_ring_free(access->keys);
    }
    db_free(access->db);
    *access = (KeyAccess){0};
}
