/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/sweep.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wait.h"
#include "services/sync/upload/orphans.h"
#include "services/sync/upload/upload_store.h"
#include "services/sync/usage.h"

#include <pthread.h>

#define SECOND_US   1000000LL
#define EVERY_S_MAX 3600u
#define AT_ONCE     500

enum {
    SWEEP_LEASE,
    SWEEP_EXPIRED,
    _SWEEP_STATEMENT_MAX,
};

const DbStatement sweep_statements[_SWEEP_STATEMENT_MAX] = {
    [SWEEP_LEASE] = {"sweep_lease",
                     "INSERT INTO sync_setting (name, value) VALUES ('sweep-lease', ?)"
                     " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
                     " WHERE sync_setting.value < ? OR sync_setting.value LIKE ?"
                     " OR sync_setting.value > excluded.value",
                     3, 0},
    [SWEEP_EXPIRED] = {"sweep_expired",
                       "SELECT user_id, upload_id, blob_name FROM sync_upload"
                       " WHERE expires_us <= ? AND lease_us <= ? LIMIT 500",
                       2, 3},
};
const size_t sweep_statements_len = _SWEEP_STATEMENT_MAX;

struct Sweep {
    SyncService *service;
    Orphans *orphans;
    char self[UUID_TEXT_SIZE];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t end;
    bool ending;
    Metric *expired, *removed;
};

static uint64_t every_s(const Sweep *sweep) {
    return CLAMP(sweep->service->options.settings->blob_grace_s / 4, 1, EVERY_S_MAX);
}

typedef struct Round {
    const Sweep *sweep;
    Arena *arena;
    int64_t now_us;
    bool taken;
    DbRows rows; /* of SWEEP_EXPIRED */
} Round;

/* Times of so many digits sort as text; who has it keeps it, because it knows the suspects. One
 * that lasts longer than a new one is from before the clock was set back, or the grace made
 * shorter. */
static int take_lease(DbTx *tx, void *userdata) {
    Round *round = userdata;
    int64_t until_us = round->now_us + 2 * (int64_t)every_s(round->sweep) * SECOND_US;
    uint64_t changed = 0;
    const char *value =
        arena_printf(round->arena, "%020lld %s", (long long)until_us, round->sweep->self);
    const char *now = arena_printf(round->arena, "%020lld", (long long)round->now_us);
    const char *mine = arena_printf(round->arena, "%% %s", round->sweep->self);
    int r = db_exec(
        tx, &sweep_statements[SWEEP_LEASE],
        (DbValue[]){DB_TEXT(str_from(value)), DB_TEXT(str_from(now)), DB_TEXT(str_from(mine))},
        &changed);

    round->taken = changed > 0;
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

typedef struct Removed {
    Uuid user_id;
    Usage change;
} Removed;

static int remove_one(DbTx *tx, const Round *round, size_t i, Removed *ret_removed) {
    const DbValue *row = db_rows_at(&round->rows, i, 0);
    uint64_t reserved;
    Uuid id;
    int r = uuid_from_str(row[0].bytes, &ret_removed->user_id);

    r = r < 0 ? r : uuid_from_str(row[1].bytes, &id);
    r = r < 0 ? r : upload_remove(tx, &ret_removed->user_id, &id, round->arena, &reserved);
    if (r < 0) {
        return err_trace(r);
    }
    ret_removed->change = (Usage){.reserved = -(int64_t)reserved};
    return 0;
}

static int remove_expired(DbTx *tx, void *userdata) {
    Round *round = userdata;
    Removed *removed;
    int r = db_query(tx, &sweep_statements[SWEEP_EXPIRED],
                     (DbValue[]){DB_INT(round->now_us), DB_INT(round->now_us)}, AT_ONCE,
                     round->arena, &round->rows);

    removed = arena_alloc(round->arena, (AT_ONCE + 1) * sizeof(*removed));
    for (size_t i = 0; r == 0 && i < round->rows.n_rows; i++) {
        r = remove_one(tx, round, i, &removed[i]);
    }
    for (size_t i = 0; r == 0 && i < round->rows.n_rows; i++) {
        r = usage_add(tx, &removed[i].user_id, &removed[i].change);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static bool goes_on(void *userdata) {
    Sweep *sweep = userdata;
    bool ending;

    pthread_mutex_lock(&sweep->lock);
    ending = sweep->ending;
    pthread_mutex_unlock(&sweep->lock);
    return !ending;
}

/* Their stages go at once, what they may have as blobs when no row has their name any more. */
static int expire(Sweep *sweep) {
    SyncService *service = sweep->service;
    size_t n = AT_ONCE;
    int r = 0;

    while (r == 0 && n == AT_ONCE && goes_on(sweep)) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        Round round = {.sweep = sweep, .arena = arena, .now_us = clock_unix_us()};
        r = db_write(service->options.db, remove_expired, &round, NULL);
        n = r == 0 ? round.rows.n_rows : 0;
        for (size_t i = 0; r == 0 && i < n; i++) {
            r = blobs_stage_remove(service->options.blobs, db_rows_at(&round.rows, i, 2)->bytes);
        }
        metric_add(sweep->expired, (double)n);
    }
    return err_trace(r);
}

static int look_at(Sweep *sweep, BlobArea area) {
    size_t n = 0;
    int r = orphans_look(sweep->orphans, sweep->service, area, goes_on, sweep, &n);

    metric_add(sweep->removed, (double)n);
    return err_trace(r);
}

static int sweep_once(Sweep *sweep) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Round round = {.sweep = sweep, .arena = arena, .now_us = clock_unix_us()};
    int r = db_write(sweep->service->options.db, take_lease, &round, NULL);

    if (r < 0 || !round.taken) {
        return err_trace(r);
    }
    r = expire(sweep);
    if (r == 0) {
        r = look_at(sweep, BLOB_AREA_STAGES);
    }
    if (r == 0) {
        r = look_at(sweep, BLOB_AREA_BLOBS);
    }
    return err_trace(r);
}

static void wait(Sweep *sweep) {
    uint64_t until_ms = clock_mono_ms() + every_s(sweep) * 1000;

    pthread_mutex_lock(&sweep->lock);
    if (!sweep->ending) {
        wait_until(&sweep->end, &sweep->lock, until_ms);
    }
    pthread_mutex_unlock(&sweep->lock);
}

static void *run(void *userdata) {
    Sweep *sweep = userdata;

    pthread_setname_np(pthread_self(), "sweep");
    while (goes_on(sweep)) {
        int r = sweep_once(sweep);
        if (r < 0) {
            log_error("what uploads leave behind was not cleared away",
                      LOG_STR("error", strerrordesc_np(-r)));
        }
        wait(sweep);
    }
    return NULL;
}

int sweep_start(SyncService *service, Sweep **ret_sweep) {
    Sweep *sweep = calloc(1, sizeof(*sweep));
    Uuid self = uuid_new();
    int r;

    if (!sweep) {
        abort();
    }
    sweep->service = service;
    sweep->orphans = orphans_new();
    uuid_text(&self, sweep->self);
    sweep->expired = metrics_counter(service->options.metrics, "imagesync_uploads_expired_total",
                                     "", "Uploads whose time was over, finished or not.");
    sweep->removed =
        metrics_counter(service->options.metrics, "imagesync_orphan_blobs_removed_total", "",
                        "Files in the store that belonged to nobody.");
    pthread_mutex_init(&sweep->lock, NULL);
    pthread_cond_init(&sweep->end, NULL);
    r = pthread_create(&sweep->thread, NULL, run, sweep);
    if (r != 0) {
        orphans_free(sweep->orphans);
        free(sweep);
        return err_trace(-r);
    }
    *ret_sweep = sweep;
    return 0;
}

Sweep *sweep_stop(Sweep *sweep) {
    if (sweep) {
        pthread_mutex_lock(&sweep->lock);
        sweep->ending = true;
        pthread_cond_broadcast(&sweep->end);
        pthread_mutex_unlock(&sweep->lock);
        pthread_join(sweep->thread, NULL);
        pthread_cond_destroy(&sweep->end);
        pthread_mutex_destroy(&sweep->lock);
        orphans_free(sweep->orphans);
        free(sweep);
    }
    return NULL;
}
