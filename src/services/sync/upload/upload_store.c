/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/upload_store.h"

#include "base/crypto/secret.h"
#include "base/error.h"
#include "services/sync/upload/upload_seal.h"

enum {
    UPLOAD_ADD,
    UPLOAD_GET,
    UPLOAD_TAKE,
    UPLOAD_NOTE,
    UPLOAD_RENEW,
    UPLOAD_SETTLE,
    UPLOAD_REMOVE,
    UPLOAD_HALF,
    UPLOAD_IS_HALF,
    UPLOAD_BYTES_OPEN,
    UPLOAD_BYTES_STORED,
    UPLOAD_FREE,
    _UPLOAD_STATEMENT_MAX,
};

#define MINE " WHERE user_id = ? AND upload_id = ? AND epoch = ?"

const DbStatement upload_statements[_UPLOAD_STATEMENT_MAX] = {
    [UPLOAD_ADD] = {"upload_add",
                    "INSERT INTO sync_upload (user_id, upload_id, kind, size, received, epoch,"
                    " lease_us, blob_id, blob_name, key_sealed, about_sealed, progress_sealed,"
                    " pair, outcome, photo_id, created_us, expires_us)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)",
                    16, 0},
    [UPLOAD_GET] = {"upload_get",
                    "SELECT kind, size, received, epoch, lease_us, blob_id, key_sealed,"
                    " about_sealed, progress_sealed, outcome, photo_id, created_us, expires_us"
                    " FROM sync_upload WHERE user_id = ? AND upload_id = ?",
                    2, 13},
    [UPLOAD_TAKE] = {"upload_take", "UPDATE sync_upload SET epoch = epoch + 1, lease_us = ?" MINE,
                     4, 0},
    [UPLOAD_NOTE] = {"upload_note",
                     "UPDATE sync_upload SET size = ?, received = ?, progress_sealed = ?,"
                     " lease_us = ?" MINE " AND outcome = 0",
                     7, 0},
    [UPLOAD_RENEW] = {"upload_renew", "UPDATE sync_upload SET lease_us = ?" MINE, 4, 0},
    [UPLOAD_SETTLE] = {"upload_settle",
                       "UPDATE sync_upload SET outcome = ?, photo_id = ?, lease_us = 0" MINE
                       " AND outcome = 0",
                       5, 0},
    [UPLOAD_REMOVE] = {"upload_remove",
                       "DELETE FROM sync_upload WHERE user_id = ? AND upload_id = ?", 2, 0},
    [UPLOAD_HALF] = {"upload_half",
                     "SELECT photo_id FROM sync_upload WHERE user_id = ? AND pair = ?"
                     " AND upload_id <> ? AND outcome IN (1, 2, 3)"
                     " ORDER BY upload_id DESC LIMIT 1",
                     3, 1},
    [UPLOAD_IS_HALF] = {"upload_is_half",
                        "SELECT kind FROM sync_upload WHERE user_id = ? AND pair = ?"
                        " AND photo_id = ? LIMIT 1",
                        3, 1},
    /* What has become of a part is in no other table. */
    [UPLOAD_BYTES_OPEN] = {"upload_bytes_open",
                           "SELECT CAST(coalesce(sum(CASE WHEN size > received THEN size"
                           " ELSE received END), 0) AS BIGINT)"
                           " FROM sync_upload WHERE user_id = ? AND outcome = 0",
                           1, 1},
    [UPLOAD_BYTES_STORED] = {"upload_bytes_stored",
                             "SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM sync_blob"
                             " WHERE user_id = ?",
                             1, 1},
    [UPLOAD_FREE] = {"upload_free_leases", "UPDATE sync_upload SET lease_us = 0 WHERE lease_us > 0",
                     0, 0},
};
const size_t upload_statements_len = _UPLOAD_STATEMENT_MAX;

void upload_done(Upload *upload) {
    stored_blob_done(&upload->blob);
    secret_wipe(&upload->progress, sizeof(upload->progress));
}

static int changed_one(int r, uint64_t changed) {
    return r != 0 ? err_trace(r < 0 ? r : -EIO) : changed == 1 ? 0 : UPLOAD_E_LOST;
}

static DbValue size_value(const Upload *upload) {
    return DB_INT(upload->length == UPLOAD_LENGTH_UNKNOWN ? -1 : (int64_t)upload->length);
}

int upload_add(DbTx *tx, const UserKey *key, const Upload *upload, Arena *arena) {
    Str blob_key = {(const char *)upload->blob.key, sizeof(upload->blob.key)};
    const DbValue params[] = {
        DB_BLOB(uuid_str(&key->user_id)),
        DB_BLOB(uuid_str(&upload->id)),
        DB_INT(upload->kind),
        size_value(upload),
        DB_INT(upload->progress.offset),
        DB_INT(upload->epoch),
        DB_INT(upload->lease_us),
        DB_BLOB(uuid_str(&upload->blob.id)),
        DB_TEXT(str_from(upload->blob.name)),
        DB_BLOB(upload_seal_key(key, &upload->id, blob_key, arena)),
        DB_BLOB(upload_seal_about(key, &upload->id, &upload->about, arena)),
        DB_BLOB(upload_seal_progress(key, &upload->id, &upload->progress, arena)),
        DB_BLOB(upload_pair_hash(key, &upload->about, arena)),
        DB_BLOB(str_lit("")),
        DB_INT(upload->created_us),
        DB_INT(upload->expires_us),
    };
    int r = db_exec(tx, &upload_statements[UPLOAD_ADD], params, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

/* The columns of UPLOAD_GET that are sealed, or bytes. */
static int open_row(const UserKey *key, const DbValue *row, Arena *arena, Upload *upload) {
    uint8_t blob_key[AEAD_KEY_LEN];
    Uuid blob_id;
    int r = uuid_from_str(row[5].bytes, &blob_id);

    if (r == 0 && upload->outcome != UPLOAD_UNFINISHED) {
        r = uuid_from_str(row[10].bytes, &upload->photo_id);
    }
    if (r == 0) {
        r = upload_open_key(key, &upload->id, row[6].bytes, arena, blob_key);
    }
    if (r == 0) {
        stored_blob_of(key, &blob_id, blob_key, &upload->blob);
        secret_wipe(blob_key, sizeof(blob_key));
        r = upload_open_about(key, &upload->id, row[7].bytes, arena, &upload->about);
    }
    if (r == 0) {
        r = upload_open_progress(key, &upload->id, row[8].bytes, arena, &upload->progress);
    }
    return err_trace(r);
}

int upload_get(DbTx *tx, const UserKey *key, const Uuid *id, Arena *arena, Upload *ret_upload) {
    const DbValue *row;
    Upload upload = {.id = *id};
    int r = db_query_one(tx, &upload_statements[UPLOAD_GET],
                         (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(uuid_str(id))},
                         arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? UPLOAD_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    upload.kind = (UploadKind)row[0].integer;
    upload.length = row[1].integer < 0 ? UPLOAD_LENGTH_UNKNOWN : (uint64_t)row[1].integer;
    upload.progress.offset = (uint64_t)row[2].integer;
    upload.epoch = row[3].integer;
    upload.lease_us = row[4].integer;
    upload.outcome = (UploadOutcome)row[9].integer;
    upload.created_us = row[11].integer;
    upload.expires_us = row[12].integer;
    r = open_row(key, row, arena, &upload);
    if (r == 0) {
        *ret_upload = upload;
    }
    return err_trace(r);
}

int upload_take(DbTx *tx, const UserKey *key, Upload *upload, int64_t now_us) {
    uint64_t changed;
    int r;

    /* A lease that seems to last longer than any is given is one of a clock that was set back. */
    if (upload->lease_us > now_us && upload->lease_us <= now_us + UPLOAD_LEASE_US) {
        return UPLOAD_E_BUSY;
    }
    r = db_exec(tx, &upload_statements[UPLOAD_TAKE],
                (DbValue[]){DB_INT(now_us + UPLOAD_LEASE_US), DB_BLOB(uuid_str(&key->user_id)),
                            DB_BLOB(uuid_str(&upload->id)), DB_INT(upload->epoch)},
                &changed);
    r = changed_one(r, changed);
    if (r == 0) {
        upload->epoch++;
        upload->lease_us = now_us + UPLOAD_LEASE_US;
    }
    return r == UPLOAD_E_LOST ? UPLOAD_E_BUSY : err_trace(r);
}

int upload_note(DbTx *tx, const UserKey *key, const Upload *upload, int64_t lease_us,
                Arena *arena) {
    uint64_t changed;
    int r = db_exec(
        tx, &upload_statements[UPLOAD_NOTE],
        (DbValue[]){size_value(upload), DB_INT(upload->progress.offset),
                    DB_BLOB(upload_seal_progress(key, &upload->id, &upload->progress, arena)),
                    DB_INT(lease_us), DB_BLOB(uuid_str(&key->user_id)),
                    DB_BLOB(uuid_str(&upload->id)), DB_INT(upload->epoch)},
        &changed);

    return changed_one(r, changed);
}

int upload_renew(DbTx *tx, const UserKey *key, const Upload *upload, int64_t lease_us) {
    uint64_t changed;
    int r = db_exec(tx, &upload_statements[UPLOAD_RENEW],
                    (DbValue[]){DB_INT(lease_us), DB_BLOB(uuid_str(&key->user_id)),
                                DB_BLOB(uuid_str(&upload->id)), DB_INT(upload->epoch)},
                    &changed);

    return changed_one(r, changed);
}

int upload_settle(DbTx *tx, const UserKey *key, const Upload *upload, UploadOutcome outcome,
                  const Uuid *photo_id) {
    uint64_t changed;
    int r = db_exec(tx, &upload_statements[UPLOAD_SETTLE],
                    (DbValue[]){DB_INT(outcome), DB_BLOB(uuid_str(photo_id)),
                                DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(uuid_str(&upload->id)),
                                DB_INT(upload->epoch)},
                    &changed);

    return changed_one(r, changed);
}

int upload_remove(DbTx *tx, const Uuid *user_id, const Uuid *id) {
    int r = db_exec(tx, &upload_statements[UPLOAD_REMOVE],
                    (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(id))}, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int upload_other_half(DbTx *tx, const UserKey *key, const Upload *upload, Arena *arena,
                      Uuid *ret_photo_id) {
    Str pair = upload_pair_hash(key, &upload->about, arena);
    const DbValue *row;
    int r;

    if (pair.len == 0) {
        return UPLOAD_E_NONE;
    }
    r = db_query_one(tx, &upload_statements[UPLOAD_HALF],
                     (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(pair),
                                 DB_BLOB(uuid_str(&upload->id))},
                     arena, &row);
    if (r != 0) {
        return r == DB_E_NONE ? UPLOAD_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    return err_trace(uuid_from_str(row[0].bytes, ret_photo_id));
}

int upload_is_half(DbTx *tx, const UserKey *key, const Upload *upload, const Uuid *photo_id,
                   Arena *arena) {
    Str pair = upload_pair_hash(key, &upload->about, arena);
    const DbValue *row;
    int r;

    if (pair.len == 0) {
        return UPLOAD_E_NONE;
    }
    r = db_query_one(
        tx, &upload_statements[UPLOAD_IS_HALF],
        (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(pair), DB_BLOB(uuid_str(photo_id))},
        arena, &row);
    return r == DB_E_NONE ? UPLOAD_E_NONE : r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int upload_bytes_used(DbTx *tx, const Uuid *user_id, Arena *arena, uint64_t *ret_bytes) {
    const DbValue id = DB_BLOB(uuid_str(user_id));
    const DbValue *open, *stored;
    int r = db_query_one(tx, &upload_statements[UPLOAD_BYTES_OPEN], &id, arena, &open);

    if (r == 0) {
        r = db_query_one(tx, &upload_statements[UPLOAD_BYTES_STORED], &id, arena, &stored);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_bytes = (uint64_t)open->integer + (uint64_t)stored->integer;
    return 0;
}

int upload_free_leases(DbTx *tx) {
    int r = db_exec(tx, &upload_statements[UPLOAD_FREE], NULL, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}
