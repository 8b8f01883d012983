/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/retention.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wait.h"
#include "core/events/event_log.h"
#include "services/sync/rebuild.h"

#include <pthread.h>

#define PERIOD_S  (6 * 3600)
#define RETRY_S   60
#define BATCH     500
#define DAY_US    (86400ll * 1000000)
#define ROWS_TEXT "500"

enum {
    OLD_MUTATIONS,
    OLD_DEVICES,
    FORGET_OBJECT,
    _RETENTION_STATEMENT_MAX,
};

static const DbStatement statements[_RETENTION_STATEMENT_MAX] = {
    [OLD_MUTATIONS] = {"old_mutations",
                       "DELETE FROM sync_mutation WHERE (user_id, mutation_id) IN (SELECT user_id,"
                       " mutation_id FROM sync_mutation WHERE created_us < ? ORDER BY created_us"
                       " LIMIT " ROWS_TEXT ")",
                       1, 0},
    [OLD_DEVICES] = {"old_devices",
                     "DELETE FROM sync_device WHERE (user_id, device_id) IN (SELECT user_id,"
                     " device_id FROM sync_device WHERE seen_us < ? ORDER BY seen_us"
                     " LIMIT " ROWS_TEXT ")",
                     1, 0},
    [FORGET_OBJECT] = {"forget_object",
                       "DELETE FROM sync_object WHERE user_id = ? AND kind = ? AND object_id = ?"
                       " AND removed = 1",
                       3, 0},
};

struct SyncRetention {
    SyncService *service;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ending;
};

int retention_check(Db *db, const char **reterr_name) {
    return db_check(db, statements, _RETENTION_STATEMENT_MAX, reterr_name);
}

static bool goes_on(SyncRetention *retention) {
    bool ending;

    pthread_mutex_lock(&retention->lock);
    ending = retention->ending;
    pthread_mutex_unlock(&retention->lock);
    return !ending;
}

typedef struct Old {
    const DbStatement *statement;
    int64_t before_us;
    uint64_t n;
} Old;

static int remove_old(DbTx *tx, void *userdata) {
    Old *old = userdata;
    int r = db_exec(tx, old->statement, &DB_INT(old->before_us), &old->n);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int remove_all_old(SyncRetention *retention, int statement, uint64_t keep_days) {
    Old old = {&statements[statement], clock_unix_us() - (int64_t)keep_days * DAY_US, BATCH};
    int r = 0;

    while (r == 0 && old.n == BATCH && goes_on(retention)) {
        r = db_write(retention->service->options.db, remove_old, &old, NULL);
    }
    return err_trace(r);
}

typedef struct Trim {
    EventTrim what;
    Arena *arena;
    EventTrimmed trimmed;
} Trim;

/* A tombstone goes from the log and from the row that it came to. */
static int trim_some(DbTx *tx, void *userdata) {
    Trim *trim = userdata;
    int r = event_log_trim(tx, &trim->what, trim->arena, &trim->trimmed);

    for (size_t i = 0; r == 0 && i < trim->trimmed.n_forgotten; i++) {
        const EventForgotten *forgotten = &trim->trimmed.forgotten[i];
        r = db_exec(tx, &statements[FORGET_OBJECT],
                    (DbValue[]){DB_BLOB(uuid_str(&trim->what.user_id)),
                                DB_TEXT(str_from(forgotten->kind)),
                                DB_BLOB(uuid_str(&forgotten->object_id))},
                    NULL);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int trim_log(SyncRetention *retention, const Uuid *user_id) {
    const SyncServiceOptions *options = &retention->service->options;
    int64_t before_us = clock_unix_us() - (int64_t)options->settings->changes_keep_days * DAY_US;
    Trim trim = {.what = {.user_id = *user_id,
                          .topic = SYNC_TOPIC,
                          .superseded_before_us = before_us,
                          .removed_before_us = before_us,
                          .relays = options->relays,
                          .max = BATCH}};
    size_t n = 0;
    int r = 0;

    /* Once more after something went: a tombstone goes after all that was before it. */
    do {
        n = trim.what.after > 0 ? n : 0;
        trim.arena = arena_new();
        r = db_write(options->db, trim_some, &trim, NULL);
        n += r == 0 ? trim.trimmed.n : 0;
        trim.what.after = r == 0 ? trim.trimmed.next : 0;
        arena_free(trim.arena);
    } while (r == 0 && (trim.what.after > 0 || n > 0) && goes_on(retention));
    return err_trace(r);
}

typedef struct Users {
    Uuid after;
    Arena *arena;
    Uuid *users;
    size_t n;
} Users;

static int read_users(DbTx *tx, void *userdata) {
    Users *users = userdata;

    return rebuild_users(tx, &users->after, users->arena, &users->users, &users->n);
}

static int trim_logs(SyncRetention *retention) {
    Users users = {0};
    int r = 0;

    do {
        users.arena = arena_new();
        r = db_read(retention->service->options.db, NULL, read_users, &users);
        for (size_t i = 0; r == 0 && i < users.n && goes_on(retention); i++) {
            users.after = users.users[i];
            r = trim_log(retention, &users.after);
        }
        arena_free(users.arena);
    } while (r == 0 && users.n == REBUILD_USERS_MAX && goes_on(retention));
    return err_trace(r);
}

static int look(SyncRetention *retention) {
    const SyncSettings *settings = retention->service->options.settings;
    int r = remove_all_old(retention, OLD_MUTATIONS, settings->mutation_keep_days);

    r = r < 0 ? r : remove_all_old(retention, OLD_DEVICES, settings->changes_keep_days);
    r = r < 0 ? r : trim_logs(retention);
    if (r < 0) {
        log_error("old changes could not be removed", LOG_STR("error", strerrordesc_np(-r)));
    }
    return r;
}

static void *run(void *userdata) {
    SyncRetention *retention = userdata;

    pthread_setname_np(pthread_self(), "retention");
    pthread_mutex_lock(&retention->lock);
    while (!retention->ending) {
        uint64_t until_ms;
        int r;
        pthread_mutex_unlock(&retention->lock);
        r = look(retention);
        pthread_mutex_lock(&retention->lock);
        until_ms = clock_mono_ms() + (uint64_t)(r < 0 ? RETRY_S : PERIOD_S) * 1000;
        while (!retention->ending && wait_until(&retention->wake, &retention->lock, until_ms)) {
        }
    }
    pthread_mutex_unlock(&retention->lock);
    return NULL;
}

static void release(SyncRetention *retention) {
    pthread_cond_destroy(&retention->wake);
    pthread_mutex_destroy(&retention->lock);
    free(retention);
}

int retention_start(SyncService *service, SyncRetention **ret_retention) {
    SyncRetention *retention = calloc(1, sizeof(*retention));
    int r;

    if (!retention) {
        abort();
    }
    retention->service = service;
    pthread_mutex_init(&retention->lock, NULL);
    pthread_cond_init(&retention->wake, NULL);
    r = -pthread_create(&retention->thread, NULL, run, retention);
    if (r < 0) {
        release(retention);
        return err_trace(r);
    }
    *ret_retention = retention;
    return 0;
}

SyncRetention *retention_stop(SyncRetention *retention) {
    if (retention) {
        pthread_mutex_lock(&retention->lock);
        retention->ending = true;
        pthread_cond_signal(&retention->wake);
        pthread_mutex_unlock(&retention->lock);
        pthread_join(retention->thread, NULL);
        release(retention);
    }
    return NULL;
}
