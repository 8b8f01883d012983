/* SPDX-License-Identifier: Apache-2.0 */
#include "core/queue/outbox.h"

#include "base/error.h"

/* A claim from so far ahead was made before the clock was set back. */
#define SKEW_US (60LL * 1000000)

enum {
    ADD,
    CLAIM,
    REMOVE,
    _STATEMENTS_MAX,
};

static const DbStatement statements[_STATEMENTS_MAX] = {
    [ADD] = {"queue_outbox_add",
             "INSERT INTO queue_outbox (user_id, job_id, kind, lane, not_before_us, claimed_us,"
             " payload) VALUES (?, ?, ?, ?, ?, 0, ?) ON CONFLICT DO NOTHING",
             6, 0},
    [CLAIM] = {"queue_outbox_claim",
               "UPDATE queue_outbox SET claimed_us = ? WHERE user_id = ? AND job_id = ?", 3, 0},
    [REMOVE] = {"queue_outbox_remove", "DELETE FROM queue_outbox WHERE user_id = ? AND job_id = ?",
                2, 0},
};

#define NEXT                                                                                       \
    "SELECT user_id, job_id, kind, lane, not_before_us, payload FROM queue_outbox"                 \
    " WHERE claimed_us <= ? OR claimed_us > ? ORDER BY claimed_us, job_id LIMIT 64"

static const DbStatement next_statements[_DB_DIALECT_MAX] = {
    [DB_DIALECT_SQLITE] = {"queue_outbox_next", NEXT, 2, 6},
    [DB_DIALECT_POSTGRES] = {"queue_outbox_next", NEXT " FOR UPDATE SKIP LOCKED", 2, 6},
};

const ErasedTable queue_outbox_table = ERASED_TABLE_IN_BATCHES("queue_outbox", "job_id");

int queue_outbox_check(Db *db, const char **reterr_name) {
    int r = db_check(db, statements, _STATEMENTS_MAX, reterr_name);

    return r < 0 ? r : db_check(db, &next_statements[db_dialect(db)], 1, reterr_name);
}

int queue_outbox_add(DbTx *tx, const QueueJob *job) {
    int r = queue_job_check(job);

    if (r < 0) {
        return err_trace(r);
    }
    r = db_exec(tx, &statements[ADD],
                (DbValue[]){DB_BLOB(uuid_str(&job->user_id)), DB_BLOB(uuid_str(&job->id)),
                            DB_TEXT(str_from(job->kind)), DB_INT(job->lane),
                            DB_INT(job->not_before_us), DB_BLOB(job->payload)},
                NULL);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

/* Jobs of the outbox; their strings are in the arena. */
typedef struct Claimed {
    DbDialect dialect;
    Arena *arena;
    int64_t now_us, claim_us; /* what they are marked with: a time, or 0 to give them back */
    QueueJob jobs[QUEUE_PUT_MAX];
    size_t n;
} Claimed;

static int read_job(const DbValue *row, QueueJob *ret_job) {
    if (uuid_from_str(row[0].bytes, &ret_job->user_id) < 0 ||
        uuid_from_str(row[1].bytes, &ret_job->id) < 0) {
        return err_trace(-EBADMSG);
    }
    ret_job->kind = row[2].bytes.ptr;
    ret_job->lane = (QueueLane)row[3].integer;
    ret_job->not_before_us = row[4].integer;
    ret_job->payload = row[5].bytes;
    return 0;
}

static int mark_work(DbTx *tx, void *userdata) {
    const Claimed *claimed = userdata;
    int r = 0;

    for (size_t i = 0; i < claimed->n && r == 0; i++) {
        r = db_exec(tx, &statements[CLAIM],
                    (DbValue[]){DB_INT(claimed->claim_us),
                                DB_BLOB(uuid_str(&claimed->jobs[i].user_id)),
                                DB_BLOB(uuid_str(&claimed->jobs[i].id))},
                    NULL);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int claim_work(DbTx *tx, void *userdata) {
    Claimed *claimed = userdata;
    DbRows rows;
    int r = db_query(tx, &next_statements[claimed->dialect],
                     (DbValue[]){DB_INT(claimed->now_us - QUEUE_OUTBOX_CLAIM_US),
                                 DB_INT(claimed->now_us + SKEW_US)},
                     QUEUE_PUT_MAX, claimed->arena, &rows);

    claimed->n = 0;
    for (size_t i = 0; r == 0 && i < rows.n_rows; i++) {
        r = read_job(db_rows_at(&rows, i, 0), &claimed->jobs[claimed->n++]);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    return mark_work(tx, claimed);
}

static int remove_work(DbTx *tx, void *userdata) {
    const Claimed *claimed = userdata;
    int r = 0;

    for (size_t i = 0; i < claimed->n && r == 0; i++) {
        r = db_exec(tx, &statements[REMOVE],
                    (DbValue[]){DB_BLOB(uuid_str(&claimed->jobs[i].user_id)),
                                DB_BLOB(uuid_str(&claimed->jobs[i].id))},
                    NULL);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int queue_outbox_move(Db *db, Queue *queue, int64_t now_us, size_t *ret_n) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Claimed claimed = {
        .dialect = db_dialect(db), .arena = arena, .now_us = now_us, .claim_us = now_us};
    int r = db_write(db, claim_work, &claimed, NULL);

    if (r == 0 && claimed.n > 0) {
        r = queue_put(queue, claimed.jobs, claimed.n);
        if (r < 0) {
            /* If that fails too, the claim passes. */
            claimed.claim_us = 0;
            (void)db_write(db, mark_work, &claimed, NULL);
        } else {
            r = db_write(db, remove_work, &claimed, NULL);
        }
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_n = claimed.n;
    return 0;
}
