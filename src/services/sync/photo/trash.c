/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/trash.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wait.h"
#include "services/sync/photo/photo_index.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/photos.h"
#include "services/sync/setting.h"

#include <pthread.h>
#include <time.h>

#define SECOND_US 1000000LL
#define DAY_US    (86400 * SECOND_US)
#define LEASE_US  (120 * SECOND_US)
#define AT_ONCE   1000 /* a round */

struct Trash {
    SyncService *service;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t end;
    bool ending;
    Metric *removed;
};

typedef struct Round {
    Arena *arena;
    bool taken;
    int64_t lease_us, before_us;
    PhotoOwner *due;
    size_t n;

    const PhotoOwner *photo; /* the one that is removed */
    const UserKey *key;
    PurgedBlobs purged;
} Round;

static int take_lease(DbTx *tx, void *userdata) {
    Round *round = userdata;

    return err_trace(setting_lease(tx, "trash-lease", round->lease_us, &round->taken));
}

static int find_due(DbTx *tx, void *userdata) {
    Round *round = userdata;

    return err_trace(
        photo_index_due(tx, round->before_us, AT_ONCE, round->arena, &round->due, &round->n));
}

static int purge(DbTx *tx, void *userdata) {
    Round *round = userdata;
    Library library = {.key = round->key, .now_us = clock_unix_us(), .arena = round->arena};
    _cleanup_(object_done) Object photo = {0};
    Object removed;
    int r = object_get(tx, &library, OBJECT_PHOTO, &round->photo->photo_id, &photo);

    round->purged.n = 0;
    if (r != 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    if (photo_trashed_us(photo.state) == 0 || photo_trashed_us(photo.state) >= round->before_us) {
        return 0; /* taken out meanwhile */
    }
    r = photo_purge(tx, &library, &photo, &round->purged, &removed);
    return r < 0 ? err_trace(r) : 0;
}

static int purge_one(Trash *trash, Round *round) {
    SyncService *service = trash->service;
    UserKey key;
    int r = library_key_get(service->keys, &round->photo->user_id, &key);

    if (r != 0) {
        return r < 0 ? err_trace(r) : 0; /* the user is just being erased */
    }
    round->key = &key;
    r = db_write(service->options.db, purge, round, NULL);
    user_key_done(&key);
    if (r < 0) {
        return err_trace(r);
    }
    purged_blobs_remove(service->options.blobs, &round->purged);
    metric_add(trash->removed, 1);
    return 0;
}

static bool is_ending(Trash *trash) {
    bool ending;

    pthread_mutex_lock(&trash->lock);
    ending = trash->ending;
    pthread_mutex_unlock(&trash->lock);
    return ending;
}

/* A photo that cannot be removed does not hold up the others. */
static int empty(Trash *trash, Arena *arena) {
    SyncService *service = trash->service;
    const SyncSettings *settings = service->options.settings;
    Round round = {.arena = arena,
                   .lease_us = MIN((int64_t)settings->trash_every_s * SECOND_US, LEASE_US),
                   .before_us = clock_unix_us() - (int64_t)settings->trash_days * DAY_US};
    int r = db_write(service->options.db, take_lease, &round, NULL), fault = 0;

    if (r == 0 && round.taken) {
        r = db_read(service->options.db, NULL, find_due, &round);
    }
    for (size_t i = 0; r == 0 && i < round.n && !is_ending(trash); i++) {
        round.photo = &round.due[i];
        int each = purge_one(trash, &round);
        fault = each < 0 ? each : fault;
    }
    return r < 0 ? err_trace(r) : err_trace(fault);
}

static void wait(Trash *trash, uint64_t s) {
    uint64_t until_ms = clock_mono_ms() + s * 1000;

    pthread_mutex_lock(&trash->lock);
    if (!trash->ending) {
        wait_until(&trash->end, &trash->lock, until_ms);
    }
    pthread_mutex_unlock(&trash->lock);
}

static void *run(void *userdata) {
    Trash *trash = userdata;

    pthread_setname_np(pthread_self(), "trash");
    while (!is_ending(trash)) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        int r = empty(trash, arena);
        if (r < 0) {
            log_error("the trash was not emptied", LOG_STR("error", strerrordesc_np(-r)));
        }
        wait(trash, trash->service->options.settings->trash_every_s);
    }
    return NULL;
}

int trash_start(SyncService *service, Trash **ret_trash) {
    Trash *trash = calloc(1, sizeof(*trash));
    int r;

    if (!trash) {
        abort();
    }
    trash->service = service;
    trash->removed = metrics_counter(service->options.metrics, "imagesync_photos_purged_total", "",
                                     "Photos removed for good because their time in the trash "
                                     "was over.");
    pthread_mutex_init(&trash->lock, NULL);
    pthread_cond_init(&trash->end, NULL);
    r = pthread_create(&trash->thread, NULL, run, trash);
    if (r != 0) {
        free(trash);
        return err_trace(-r);
    }
    *ret_trash = trash;
    return 0;
}

Trash *trash_stop(Trash *trash) {
    if (trash) {
        pthread_mutex_lock(&trash->lock);
        trash->ending = true;
        pthread_cond_broadcast(&trash->end);
        pthread_mutex_unlock(&trash->lock);
        pthread_join(trash->thread, NULL);
        pthread_cond_destroy(&trash->end);
        pthread_mutex_destroy(&trash->lock);
        free(trash);
    }
    return NULL;
}
