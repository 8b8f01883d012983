/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/housekeeping.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wait.h"
#include "services/user/chore_store.h"

#include <pthread.h>
#include <stdio.h>

#define SECOND_US   1000000LL
#define LEASE_US    (HOUSEKEEPING_LEASE_S * SECOND_US)
#define RETRY_US    (5 * SECOND_US) /* after the first failure; then twice as long each time */
#define RETRIES_MAX 16              /* from where on it is a period */
#define ASIDE_US    SECOND_US       /* when what was asked for is in other hands */

/* What the thread knows of a chore. Times are of the monotonic clock. */
typedef struct Chore {
    const HousekeepingChore *what;
    int64_t period_us;
    int64_t next_us;
    unsigned failures; /* one after another */
    bool wanted;       /* with the lock: somebody asked for it */
    Metric *done, *failed;
} Chore;

struct Housekeeping {
    UserService *service;
    Uuid self;
    Chore *chores;
    size_t n_chores;
    ChoreLease lease; /* of the chore under way */
    int64_t renewed_us;

    pthread_t thread;
    bool started; /* of the one thread that starts and stops */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ending;
};

static int take(DbTx *tx, void *userdata) {
    return chore_store_take(tx, userdata);
}

static int renew(DbTx *tx, void *userdata) {
    return chore_store_renew(tx, userdata);
}

typedef struct Release {
    const ChoreLease *lease;
    int64_t due_us;
} Release;

static int release(DbTx *tx, void *userdata) {
    const Release *work = userdata;

    return chore_store_release(tx, work->lease, work->due_us);
}

static bool is_ending(Housekeeping *housekeeping) {
    bool ending;

    pthread_mutex_lock(&housekeeping->lock);
    ending = housekeeping->ending;
    pthread_mutex_unlock(&housekeeping->lock);
    return ending;
}

bool housekeeping_goes_on(Housekeeping *housekeeping) {
    int64_t now_us = (int64_t)clock_mono_us();

    if (is_ending(housekeeping)) {
        return false;
    }
    if (now_us - housekeeping->renewed_us < LEASE_US / 3) {
        return true;
    }
    housekeeping->lease.until_us = clock_unix_us() + LEASE_US;
    if (db_write(housekeeping->service->options.db, renew, &housekeeping->lease, NULL) != 0) {
        return false;
    }
    housekeeping->renewed_us = now_us;
    return true;
}

static int64_t retry_us(const Chore *chore) {
    return chore->failures > RETRIES_MAX ? chore->period_us
                                         : MIN(RETRY_US << (chore->failures - 1), chore->period_us);
}

/* How long until it is looked at again. */
static int64_t finish(Housekeeping *housekeeping, Chore *chore, int r) {
    Release work = {.lease = &housekeeping->lease};
    int64_t wait_us = chore->period_us;

    metric_add(r == 0 ? chore->done : chore->failed, 1);
    if (r == 0) {
        chore->failures = 0;
    } else {
        chore->failures++;
        wait_us = retry_us(chore);
        log_error("chore failed", LOG_STR("chore", chore->what->name),
                  LOG_STR("error", strerrordesc_np(r < 0 ? -r : EIO)),
                  LOG_INT("failures", chore->failures));
    }
    /* What was broken off is another server's at once. */
    work.due_us = clock_unix_us() + (r == 0 && is_ending(housekeeping) ? 0 : wait_us);
    /* Best effort: a lease that stays lapses. */
    (void)db_write(housekeeping->service->options.db, release, &work, NULL);
    return wait_us;
}

/* The same. */
static int64_t look_at(Housekeeping *housekeeping, Chore *chore, bool wanted, Arena *arena) {
    ChoreLease *lease = &housekeeping->lease;
    int64_t now_us = clock_unix_us();
    int r;

    *lease = (ChoreLease){.name = chore->what->name,
                          .holder = housekeeping->self,
                          .now_us = now_us,
                          .period_us = chore->period_us,
                          .until_us = now_us + LEASE_US,
                          .early = wanted || chore->failures > 0,
                          .arena = arena};
    housekeeping->renewed_us = (int64_t)clock_mono_us();
    r = db_write(housekeeping->service->options.db, take, lease, NULL);
    if (r == CHORE_E_LATER && wanted) {
        housekeeping_wake(housekeeping,
                          chore->what->name); /* what was asked for is not forgotten */
        return ASIDE_US;
    }
    if (r == CHORE_E_LATER) {
        return CLAMP(lease->free_us - now_us, ASIDE_US, chore->period_us);
    }
    if (r == 0) {
        r = chore->what->work(housekeeping->service, housekeeping);
    }
    return finish(housekeeping, chore, r);
}

/* Of the chores whose time has come, one; how long until the next when there is none. With the lock
 * held. */
static Chore *next_chore(Housekeeping *housekeeping, int64_t *ret_wait_us) {
    int64_t now_us = (int64_t)clock_mono_us(), wait_us = INT64_MAX;

    for (size_t i = 0; i < housekeeping->n_chores; i++) {
        Chore *chore = &housekeeping->chores[i];
        if (chore->next_us <= now_us) {
            return chore;
        }
        wait_us = MIN(wait_us, chore->next_us - now_us);
    }
    *ret_wait_us = wait_us;
    return NULL;
}

static void wait(Housekeeping *housekeeping, int64_t wait_us) {
    wait_until(&housekeeping->wake, &housekeeping->lock,
               clock_mono_ms() + (uint64_t)wait_us / 1000 + 1);
}

static void *run(void *userdata) {
    Housekeeping *housekeeping = userdata;

    pthread_setname_np(pthread_self(), "housekeeping");
    pthread_mutex_lock(&housekeeping->lock);
    while (!housekeeping->ending) {
        int64_t wait_us = 0;
        Chore *chore = next_chore(housekeeping, &wait_us);
        if (!chore) {
            wait(housekeeping, wait_us);
            continue;
        }
        bool wanted = chore->wanted;
        chore->wanted = false;
        pthread_mutex_unlock(&housekeeping->lock);
        Arena *arena = arena_new();
        wait_us = look_at(housekeeping, chore, wanted, arena);
        arena_free(arena);
        pthread_mutex_lock(&housekeeping->lock);
        /* What was asked for while it was done may have come too late for it. */
        chore->next_us = (int64_t)clock_mono_us() +
                         (chore->wanted ? MIN(wait_us, wanted ? ASIDE_US : 0) : wait_us);
    }
    pthread_mutex_unlock(&housekeeping->lock);
    return NULL;
}

static void register_metrics(Chore *chore, Metrics *metrics) {
    static const char help[] = "What was done in the background, by what became of it.";
    char labels[96];

    snprintf(labels, sizeof(labels), "chore=\"%s\",result=\"done\"", chore->what->name);
    chore->done = metrics_counter(metrics, "imagesync_chores_total", labels, help);
    snprintf(labels, sizeof(labels), "chore=\"%s\",result=\"failed\"", chore->what->name);
    chore->failed = metrics_counter(metrics, "imagesync_chores_total", labels, help);
}

static void init_lock(Housekeeping *housekeeping) {

    pthread_mutex_init(&housekeeping->lock, NULL);
    pthread_cond_init(&housekeeping->wake, NULL);
}

Housekeeping *housekeeping_new(UserService *service, const HousekeepingChore *chores) {
    Housekeeping *housekeeping = calloc(1, sizeof(*housekeeping));
    int64_t longest_us = (int64_t)service->options.settings->housekeeping_s * SECOND_US;

    if (!housekeeping) {
        abort();
    }
    housekeeping->service = service;
    housekeeping->self = uuid_new();
    while (chores[housekeeping->n_chores].name) {
        housekeeping->n_chores++;
    }
    housekeeping->chores = calloc(housekeeping->n_chores + 1, sizeof(Chore));
    if (!housekeeping->chores) {
        abort();
    }
    for (size_t i = 0; i < housekeeping->n_chores; i++) {
        Chore *chore = &housekeeping->chores[i];
        *chore = (Chore){.what = &chores[i],
                         .period_us = MIN(chores[i].period_s * SECOND_US, longest_us),
                         .wanted = chores[i].at_start};
        register_metrics(chore, service->options.metrics);
    }
    init_lock(housekeeping);
    return housekeeping;
}

int housekeeping_start(Housekeeping *housekeeping) {
    int r = pthread_create(&housekeeping->thread, NULL, run, housekeeping);

    housekeeping->started = r == 0;
    return err_trace(-r);
}

void housekeeping_stop(Housekeeping *housekeeping) {
    if (housekeeping->started) {
        pthread_mutex_lock(&housekeeping->lock);
        housekeeping->ending = true;
        pthread_cond_signal(&housekeeping->wake);
        pthread_mutex_unlock(&housekeeping->lock);
        pthread_join(housekeeping->thread, NULL);
        housekeeping->started = false;
    }
}

Housekeeping *housekeeping_free(Housekeeping *housekeeping) {
    if (housekeeping) {
        pthread_cond_destroy(&housekeeping->wake);
        pthread_mutex_destroy(&housekeeping->lock);
        free(housekeeping->chores);
        free(housekeeping);
    }
    return NULL;
}

void housekeeping_wake(Housekeeping *housekeeping, const char *name) {
    pthread_mutex_lock(&housekeeping->lock);
    for (size_t i = 0; i < housekeeping->n_chores; i++) {
        if (strcmp(housekeeping->chores[i].what->name, name) == 0) {
            housekeeping->chores[i].wanted = true;
            housekeeping->chores[i].next_us = 0;
            pthread_cond_signal(&housekeeping->wake);
        }
    }
    pthread_mutex_unlock(&housekeeping->lock);
}
