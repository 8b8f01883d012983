/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/key_backup.h"

#include "base/crypto/digest.h"
#include "base/error.h"
#include "base/uuid.h"

#define BATCH       500
#define WRAPPED_MAX ((size_t)1024)

static const DbStatement list_statement = {
    "key_backup_list",
    "SELECT user_id, wrapped, created_us FROM user_key WHERE user_id > ? ORDER BY user_id LIMIT ?",
    2, 3};
static const DbStatement clear_statement = {"key_backup_clear", "DELETE FROM user_key", 0, 0};
static const DbStatement put_statement = {
    "key_backup_put",
    "INSERT INTO user_key (user_id, wrapped, created_us) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    3, 0};

typedef struct Work {
    Buf *out;
    Str text;
    Uuid after;
    size_t n;
} Work;

static int write_line(const DbValue *row, Work *work) {
    char user[2 * 16 + 1], wrapped[2 * WRAPPED_MAX + 1];

    if (uuid_from_str(row[0].bytes, &work->after) < 0 || row[1].bytes.len > WRAPPED_MAX) {
        return err_trace(-EBADMSG);
    }
    hex_encode(row[0].bytes, user);
    hex_encode(row[1].bytes, wrapped);
    buf_addf(work->out, "%s %s %lld\n", user, wrapped, (long long)row[2].integer);
    return 0;
}

static int list(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Work *work = userdata;
    DbRows rows;
    int r =
        db_query(tx, &list_statement, (DbValue[]){DB_BLOB(uuid_str(&work->after)), DB_INT(BATCH)},
                 BATCH, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    work->n = rows.n_rows;
    for (size_t i = 0; r == 0 && i < rows.n_rows; i++) {
        r = write_line(db_rows_at(&rows, i, 0), work);
    }
    return r;
}

static int clear(DbTx *tx, void *userdata) {
    int r = db_exec(tx, &clear_statement, NULL, NULL);

    (void)userdata;
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int key_backup_take(Db *copy, Buf *out) {
    Work work = {.out = out};
    int r;

    buf_addf(out, "# Keys of users, wrapped by the master key: user, key, when it was made.\n");
    do {
        r = db_read(copy, NULL, list, &work);
    } while (r == 0 && work.n == BATCH);
    if (r == 0) {
        r = db_write(copy, clear, NULL, NULL);
    }
    return r < 0 ? err_trace(r) : db_scrub(copy);
}

static int put_line(DbTx *tx, Str line) {
    Str user, wrapped, created;
    uint8_t user_id[16], key[WRAPPED_MAX];
    uint64_t created_us;
    int r;

    if (!str_next_token(&line, " ", &user) || !str_next_token(&line, " ", &wrapped) ||
        !str_next_token(&line, " ", &created) || line.len > 0 || wrapped.len > 2 * WRAPPED_MAX ||
        hex_decode(user, user_id, sizeof(user_id)) < 0 ||
        hex_decode(wrapped, key, wrapped.len / 2) < 0 || str_to_u64(created, &created_us) < 0) {
        return KEY_BACKUP_E_FORM;
    }
    r = db_exec(tx, &put_statement,
                (DbValue[]){DB_BLOB(((Str){(const char *)user_id, sizeof(user_id)})),
                            DB_BLOB(((Str){(const char *)key, wrapped.len / 2})),
                            DB_INT(created_us)},
                NULL);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int put(DbTx *tx, void *userdata) {
    Str text = ((Work *)userdata)->text, line;
    int r = 0;

    while (r == 0 && str_next_token(&text, "\n", &line)) {
        r = line.len == 0 || line.ptr[0] == '#' ? 0 : put_line(tx, line);
    }
    return r;
}

int key_backup_put(Db *db, Str text) {
    int r = db_write(db, put, &(Work){.text = text}, NULL);

    return r < 0 ? err_trace(r) : r;
}
