/* SPDX-License-Identifier: Apache-2.0 */

/* The dead letter, what erased users leave, and counting what is there. */

#include "adapters/queue/sql/sql_private.h"
#include "base/error.h"

typedef struct Reading {
    int statement;
    const DbValue *params;
    size_t rows_max;
    Arena *arena;
    DbRows rows;
} Reading;

static int read_work(DbTx *tx, void *userdata) {
    Reading *reading = userdata;
    int r = db_query(tx, &queue_statements[reading->statement], reading->params, reading->rows_max,
                     reading->arena, &reading->rows);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int queue_sql_dead_list(Queue *queue, size_t max, Arena *arena, QueueDead **ret_dead,
                        size_t *ret_n) {
    QueueSql *self = queue_sql_of(queue);
    Reading reading = {DEAD_LIST, (DbValue[]){DB_INT(max)}, max, arena, {0}};
    QueueDead *dead;
    int r = db_read(self->db, NULL, read_work, &reading);

    if (r < 0) {
        return err_trace(r);
    }
    dead = arena_alloc(arena, MAX(reading.rows.n_rows, 1u) * sizeof(*dead));
    for (size_t i = 0; i < reading.rows.n_rows; i++) {
        const DbValue *row = db_rows_at(&reading.rows, i, 0);
        dead[i] = (QueueDead){.kind = row[2].bytes.ptr,
                              .reason = row[3].bytes.ptr,
                              .lane = (QueueLane)row[4].integer,
                              .attempts = (unsigned)row[5].integer,
                              .died_us = row[6].integer};
        if (uuid_from_str(row[0].bytes, &dead[i].user_id) < 0 ||
            uuid_from_str(row[1].bytes, &dead[i].id) < 0) {
            return err_trace(-EBADMSG);
        }
    }
    *ret_dead = dead;
    *ret_n = reading.rows.n_rows;
    return 0;
}

typedef struct Raising {
    QueueSql *self;
    const Uuid *user_id, *id;
    char kind[QUEUE_KIND_LEN_MAX + 1]; /* of what was found; "": nothing */
} Raising;

static int requeue_work(DbTx *tx, void *userdata) {
    Raising *raising = userdata;
    QueueSql *self = raising->self;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue *row;
    int r = db_query_one(
        tx, &queue_statements[DEAD_GET],
        (DbValue[]){DB_BLOB(uuid_str(raising->user_id)), DB_BLOB(uuid_str(raising->id))}, arena,
        &row);

    raising->kind[0] = '\0';
    if (r != 0) {
        return r == DB_E_NONE ? 0 : err_trace(r < 0 ? r : -EIO);
    }
    if (row[0].bytes.len > QUEUE_KIND_LEN_MAX) {
        return err_trace(-EBADMSG);
    }
    memcpy(raising->kind, row[0].bytes.ptr, row[0].bytes.len + 1);
    return queue_sql_make_ready(self, tx,
                                &(ReadyJob){.user_id = raising->user_id,
                                            .id = raising->id,
                                            .kind = raising->kind,
                                            .lane = row[1].integer,
                                            .attempts = 0,
                                            .reason = str_lit("")},
                                self->now_us(), arena);
}

int queue_sql_dead_requeue(Queue *queue, const Uuid *user_id, const Uuid *id) {
    QueueSql *self = queue_sql_of(queue);
    Raising raising = {.self = self, .user_id = user_id, .id = id};
    int r = db_write(self->db, requeue_work, &raising, NULL);

    if (r < 0) {
        return err_trace(r);
    }
    if (raising.kind[0] == '\0') {
        return QUEUE_E_NONE;
    }
    waiters_wake(&self->waiters, raising.kind);
    return 0;
}

typedef struct Removing {
    const DbValue *params;
    uint64_t changed;
} Removing;

static int remove_work(DbTx *tx, void *userdata) {
    Removing *removing = userdata;
    int r = queue_sql_run(tx, &queue_statements[DEAD_REMOVE], removing->params, &removing->changed);

    if (r == 0 && removing->changed > 0) {
        r = queue_sql_run(tx, &queue_statements[PAYLOAD_DONE], removing->params, NULL);
    }
    return r;
}

int queue_sql_dead_remove(Queue *queue, const Uuid *user_id, const Uuid *id) {
    Removing removing = {(DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(id))}, 0};
    int r = db_write(queue_sql_of(queue)->db, remove_work, &removing, NULL);

    if (r < 0) {
        return err_trace(r);
    }
    return removing.changed > 0 ? 0 : QUEUE_E_NONE;
}

static int erase_work(DbTx *tx, void *userdata) {
    Removing *removing = userdata;
    int r = queue_sql_run(tx, &queue_statements[PAYLOAD_ERASE], removing->params, NULL);

    return r < 0 ? r
                 : queue_sql_run(tx, &queue_statements[JOB_ERASE], removing->params,
                                 &removing->changed);
}

int queue_sql_erase_user(Queue *queue, const Uuid *user_id, uint64_t *ret_n) {
    Removing removing = {(DbValue[]){DB_BLOB(uuid_str(user_id))}, 0};
    int r = db_write(queue_sql_of(queue)->db, erase_work, &removing, NULL);

    if (r < 0) {
        return err_trace(r);
    }
    *ret_n = removing.changed;
    return 0;
}

int queue_sql_stats(Queue *queue, QueueStats *ret_stats) {
    QueueSql *self = queue_sql_of(queue);
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Reading reading = {COUNT, NULL, _STATE_MAX, arena, {0}};
    int64_t now_us = self->now_us();
    QueueStats stats = {0};
    int r = db_read(self->db, NULL, read_work, &reading);

    if (r < 0) {
        return err_trace(r);
    }
    for (size_t i = 0; i < reading.rows.n_rows; i++) {
        const DbValue *row = db_rows_at(&reading.rows, i, 0);
        uint64_t n = (uint64_t)row[1].integer;
        switch (row[0].integer) {
        case STATE_READY:
            stats.ready = n;
            stats.oldest_ms = (uint64_t)MAX(now_us - row[2].integer, 0) / 1000;
            break;
        case STATE_DELAYED:
            stats.delayed = n;
            break;
        case STATE_LEASED:
            stats.leased = n;
            break;
        default:
            stats.dead = n;
        }
    }
    *ret_stats = stats;
    return 0;
}
