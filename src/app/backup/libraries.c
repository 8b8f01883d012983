/* SPDX-License-Identifier: Apache-2.0 */
#include "app/backup/libraries.h"

#include "app/registry.h"
#include "base/crypto/secret.h"
#include "base/error.h"
#include "services/sync/rebuild.h"
#include "services/sync/store_id.h"
#include "services/user/account_store.h"
#include "services/user/library_key.h"

int libraries_open(const Settings *settings, Arena *arena, Libraries *ret_libraries,
                   const char **reterr_text) {
    _cleanup_(libraries_done) Libraries libraries = {0};
    char known[BLOB_STORE_ID_LEN + 1], id[BLOB_STORE_ID_LEN + 1];
    int r = key_access_start(settings, arena, &libraries.access, reterr_text);

    if (r < 0) {
        return r;
    }
    r = sync_store_id_get(libraries.access.db, known);
    if (r < 0 || known[0] == '\0') {
        *reterr_text = r < 0 ? strerrordesc_np(-r)
                             : "this database has no files yet: no server with the sync service "
                               "has run on it";
        return r < 0 ? r : -EINVAL;
    }
    r = registry_open_blobs(settings, known, arena, &libraries.blobs, id, reterr_text);
    if (r < 0) {
        return r;
    }
    *ret_libraries = libraries;
    libraries = (Libraries){0};
    return 0;
}

void libraries_done(Libraries *libraries) {
    blobs_free(libraries->blobs);
    key_access_done(&libraries->access);
    *libraries = (Libraries){0};
}

typedef struct Walk {
    const Libraries *libraries;
    Arena *arena;
    Uuid after;
    Uuid *users;
    size_t n_users;
    const UserKey *key;
    UserKey *ret_key;
    StoredBlob *blobs;
    size_t n_blobs;
} Walk;

static int read_users(DbTx *tx, void *userdata) {
    Walk *walk = userdata;

    return rebuild_users(tx, &walk->after, walk->arena, &walk->users, &walk->n_users);
}

static int read_key(DbTx *tx, void *userdata) {
    Walk *walk = userdata;

    return library_key_of(tx, walk->libraries->access.vault, &walk->after, walk->arena,
                          walk->ret_key);
}

static int visit_one(Walk *walk, LibraryVisit *visit, void *userdata) {
    _cleanup_(user_key_done) UserKey key = {0};
    int r;

    walk->ret_key = &key;
    r = db_read(walk->libraries->access.db, NULL, read_key, walk);
    if (r < 0 && r != -EBADMSG) {
        return err_trace(r);
    }
    return visit(&walk->after, r == 0 ? &key : NULL, userdata);
}

int libraries_each(const Libraries *libraries, LibraryVisit *visit, void *userdata) {
    Walk walk = {.libraries = libraries};
    int r = 0;

    do {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        walk.arena = arena;
        r = db_read(libraries->access.db, NULL, read_users, &walk);
        for (size_t i = 0; r == 0 && i < walk.n_users; i++) {
            walk.after = walk.users[i];
            r = visit_one(&walk, visit, userdata);
        }
    } while (r == 0 && walk.n_users == REBUILD_USERS_MAX);
    return r;
}

static int read_blobs(DbTx *tx, void *userdata) {
    Walk *walk = userdata;

    return blob_store_list(tx, walk->key, &walk->after, walk->arena, &walk->blobs, &walk->n_blobs);
}

int libraries_each_blob(const Libraries *libraries, const UserKey *key, BlobVisit *visit,
                        void *userdata) {
    Walk walk = {.libraries = libraries, .key = key};
    int r = 0;

    do {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        walk.arena = arena;
        r = db_read(libraries->access.db, NULL, read_blobs, &walk);
        for (size_t i = 0; r == 0 && i < walk.n_blobs; i++) {
            walk.after = walk.blobs[i].id;
            r = visit(&walk.blobs[i], userdata);
        }
        if (walk.n_blobs > 0) {
            secret_wipe(walk.blobs, walk.n_blobs * sizeof(*walk.blobs));
        }
    } while (r == 0 && walk.n_blobs == BLOB_STORE_LIST_MAX);
    return r;
}
