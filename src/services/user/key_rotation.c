/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/key_rotation.h"

#include "base/error.h"

#define BATCH            200
#define SERVICE_KEYS_MAX 100

enum {
    USER_KEY_LIST,
    USER_KEY_PUT,
    SERVICE_KEY_LIST,
    SERVICE_KEY_PUT,
};

static const DbStatement statements[] = {
    [USER_KEY_LIST] = {"user_key_list",
                       "SELECT user_id, wrapped FROM user_key WHERE user_id > ? "
                       "ORDER BY user_id LIMIT ?",
                       2, 2},
    [USER_KEY_PUT] = {"user_key_put",
                      "UPDATE user_key SET wrapped = ? WHERE user_id = ? AND wrapped = ?", 3, 0},
    [SERVICE_KEY_LIST] = {"service_key_list",
                          "SELECT name, wrapped FROM user_service_key ORDER BY name", 0, 2},
    [SERVICE_KEY_PUT] = {"service_key_put",
                         "UPDATE user_service_key SET wrapped = ? WHERE name = ? AND wrapped = ?",
                         3, 0},
};

/* A walk over the rows, batch by batch; what a batch gives is set anew when it is run again. */
typedef struct Pass {
    const Vault *vault; /* NULL: only counts */
    Str newest;
    KeyUse *uses;
    size_t n_uses;
    bool service; /* which table */
    Uuid after;
    bool has_after;

    Arena *arena;
    DbRows rows;
    uint64_t n_changed;
} Pass;

static int list(DbTx *tx, Pass *pass) {
    Str after = pass->has_after ? uuid_str(&pass->after) : str_lit("");
    int r = pass->service ? db_query(tx, &statements[SERVICE_KEY_LIST], NULL, SERVICE_KEYS_MAX,
                                     pass->arena, &pass->rows)
                          : db_query(tx, &statements[USER_KEY_LIST],
                                     (DbValue[]){DB_BLOB(after), DB_INT(BATCH)}, BATCH, pass->arena,
                                     &pass->rows);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int read_work(DbTx *tx, void *userdata) {
    return list(tx, userdata);
}

static int rewrap_row(DbTx *tx, Pass *pass, const DbValue *row) {
    uint64_t changed;
    Str wrapped, id;
    Uuid user_id;
    int r;

    if (master_key_wrapped_id(row[1].bytes, &id) && str_equal(id, pass->newest)) {
        return 0;
    }
    if (pass->service) {
        r = vault_rewrap_service(pass->vault, row[0].bytes, row[1].bytes, pass->arena, &wrapped);
    } else if (uuid_from_str(row[0].bytes, &user_id) < 0) {
        return VAULT_E_BROKEN;
    } else {
        r = vault_rewrap_user(pass->vault, &user_id, row[1].bytes, pass->arena, &wrapped);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    r = db_exec(tx, &statements[pass->service ? SERVICE_KEY_PUT : USER_KEY_PUT],
                (DbValue[]){DB_BLOB(wrapped), row[0], row[1]}, &changed);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    pass->n_changed += changed;
    return 0;
}

static int rewrap_work(DbTx *tx, void *userdata) {
    Pass *pass = userdata;
    int r = list(tx, pass);

    pass->n_changed = 0;
    for (size_t i = 0; i < pass->rows.n_rows && r == 0; i++) {
        r = rewrap_row(tx, pass, db_rows_at(&pass->rows, i, 0));
    }
    return r < 0 ? err_trace(r) : r;
}

static int count_row(Pass *pass, const DbValue *row) {
    KeyUse *use = pass->uses;
    Str id;

    if (!master_key_wrapped_id(row[1].bytes, &id)) {
        return err_trace(-EBADMSG);
    }
    while (use < pass->uses + pass->n_uses && !str_equal(str_from(use->id.text), id)) {
        use++;
    }
    if (use == pass->uses + MASTER_KEY_KEYS_MAX) {
        return err_trace(-E2BIG);
    }
    if (use == pass->uses + pass->n_uses) {
        *use = (KeyUse){0};
        memcpy(use->id.text, id.ptr, id.len);
        pass->n_uses++;
    }
    use->n_users += !pass->service;
    use->n_service += pass->service;
    return 0;
}

/* The whole of a table; adds up what was changed. */
static int walk(Db *db, Pass *pass, uint64_t *n_changed) {
    bool more = true;

    pass->has_after = false;
    while (more) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        int r;
        pass->arena = arena;
        r = pass->vault ? db_write(db, rewrap_work, pass, NULL)
                        : db_read(db, NULL, read_work, pass);
        for (size_t i = 0; !pass->vault && r == 0 && i < pass->rows.n_rows; i++) {
            r = count_row(pass, db_rows_at(&pass->rows, i, 0));
        }
        if (r != 0) {
            return r < 0 ? err_trace(r) : r;
        }
        *n_changed += pass->n_changed;
        more = !pass->service && pass->rows.n_rows == BATCH;
        if (more) {
            const DbValue *last = db_rows_at(&pass->rows, BATCH - 1, 0);
            pass->has_after = true;
            r = uuid_from_str(last->bytes, &pass->after);
            if (r < 0) {
                return err_trace(-EBADMSG);
            }
        }
    }
    return 0;
}

static int walk_both(Db *db, Pass *pass, uint64_t *ret_changed) {
    uint64_t n_changed = 0;
    int r = walk(db, pass, &n_changed);

    if (r == 0) {
        pass->service = true;
        r = walk(db, pass, &n_changed);
    }
    *ret_changed = n_changed;
    return r < 0 ? err_trace(r) : r;
}

int key_rotation_count(Db *db, KeyUse ret_uses[MASTER_KEY_KEYS_MAX], size_t *ret_n) {
    Pass pass = {.uses = ret_uses};
    uint64_t unused;
    int r = walk_both(db, &pass, &unused);

    if (r < 0) {
        return err_trace(r);
    }
    *ret_n = pass.n_uses;
    return 0;
}

int key_rotation_rewrap(Db *db, const Vault *vault, const char *newest, uint64_t *ret_n) {
    Pass pass = {.vault = vault, .newest = str_from(newest)};

    return walk_both(db, &pass, ret_n);
}
