/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/reingest.h"

#include "base/clock.h"
#include "base/error.h"
#include "core/queue/outbox.h"
#include "services/sync/jobs.h"
#include "services/sync/setting.h"

enum {
    LOOKED,
    FORGET,
    OLDER,
    RENEW,
    _REINGEST_STATEMENT_MAX,
};

const DbStatement reingest_statements[_REINGEST_STATEMENT_MAX] = {
    [LOOKED] = {"ingest_looked",
                "INSERT INTO sync_ingest (user_id, photo_id, version) VALUES (?, ?, ?)"
                " ON CONFLICT (user_id, photo_id) DO UPDATE SET version = excluded.version",
                3, 0},
    [FORGET] = {"ingest_forget", "DELETE FROM sync_ingest WHERE user_id = ? AND photo_id = ?", 2,
                0},
    [OLDER] = {"ingest_older",
               "SELECT user_id, photo_id FROM sync_ingest WHERE version < ? ORDER BY version"
               " LIMIT ?",
               2, 2},
    [RENEW] = {"ingest_renew",
               "UPDATE sync_ingest SET version = ? WHERE user_id = ? AND photo_id = ?"
               " AND version < ?",
               4, 0},
};
const size_t reingest_statements_len = _REINGEST_STATEMENT_MAX;

int reingest_looked(DbTx *tx, const Uuid *user_id, const Uuid *photo_id) {
    int r = db_exec(tx, &reingest_statements[LOOKED],
                    (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(photo_id)),
                                DB_INT(INGEST_VERSION)},
                    NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int reingest_forget(DbTx *tx, const Uuid *user_id, const Uuid *photo_id) {
    int r = db_exec(tx, &reingest_statements[FORGET],
                    (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(photo_id))}, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

typedef struct Round {
    Arena *arena;
    int64_t lease_us;
    size_t max, n; /* photos that are looked for; that there are */
} Round;

static int find_older(DbTx *tx, Round *round, DbRows *ret_rows) {
    int r = db_query(tx, &reingest_statements[OLDER],
                     (DbValue[]){DB_INT(INGEST_VERSION), DB_INT(round->max)}, round->max,
                     round->arena, ret_rows);

    round->n = r == 0 ? ret_rows->n_rows : 0;
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int are_there_any(DbTx *tx, void *userdata) {
    DbRows rows;

    return find_older(tx, userdata, &rows);
}

/* Unless another server has just done so. */
static int put_job(DbTx *tx, const DbValue ids[2]) {
    QueueJob job = {.id = uuid_new(),
                    .kind = PHOTO_JOB_REINGEST,
                    .lane = QUEUE_FREE_BATCH,
                    .payload = ids[1].bytes};
    uint64_t changed = 0;
    int r = uuid_from_str(ids[0].bytes, &job.user_id);

    if (r == 0) {
        r = db_exec(tx, &reingest_statements[RENEW],
                    (DbValue[]){DB_INT(INGEST_VERSION), ids[0], ids[1], DB_INT(INGEST_VERSION)},
                    &changed);
    }
    if (r == 0 && changed > 0) {
        r = queue_outbox_add(tx, &job);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int put_jobs(DbTx *tx, void *userdata) {
    Round *round = userdata;
    bool taken;
    DbRows rows;
    int r = setting_lease(tx, "reingest-lease", round->lease_us, &taken);

    round->n = 0;
    if (r < 0 || !taken) {
        return err_trace(r);
    }
    r = find_older(tx, round, &rows);
    for (size_t i = 0; r == 0 && i < rows.n_rows; i++) {
        r = put_job(tx, db_rows_at(&rows, i, 0));
    }
    return err_trace(r);
}

int reingest_some(SyncService *service) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const SyncServiceOptions *options = &service->options;
    Round round = {.arena = arena,
                   .lease_us = (int64_t)options->settings->reingest_every_s * 1000000,
                   .max = 1};
    int r = db_read(options->db, NULL, are_there_any, &round);

    if (r == 0 && round.n > 0) {
        round.max = REINGEST_AT_ONCE;
        r = db_write(options->db, put_jobs, &round, NULL);
    }
    if (r == 0 && round.n > 0) {
        jobs_move(service);
    }
    return err_trace(r);
}
