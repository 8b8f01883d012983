/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/settlements.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wait.h"
#include "services/image/accounts.h"

#include <pthread.h>

#define RETRY_MAX_MS 30000

typedef struct Settlement {
    struct Settlement *next;
    AccessReservation reservation;
    bool charge;
    uint64_t since_ms;
} Settlement;

struct Settlements {
    SettlementsOptions options;
    Metric *waiting;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ending;
    Settlement *first, **last; /* in the order in which they are said */
    size_t count;              /* with the one that is being said */
    uint32_t pause_ms;         /* after the next failure */
    uint64_t next_ms;          /* of the monotonic clock */
};

static void append(Settlements *self, Settlement *settlement) {
    settlement->next = NULL;
    *self->last = settlement;
    self->last = &settlement->next;
}

static Settlement *take_first(Settlements *self) {
    Settlement *settlement = self->first;

    self->first = settlement->next;
    if (!self->first) {
        self->last = &self->first;
    }
    return settlement;
}

static void drop(Settlements *self, Settlement *settlement) {
    free(settlement);
    self->count--;
    metric_set(self->waiting, (double)self->count);
}

/* 0, ACCESS_E_GONE, or a fault: it is to be said again. */
static int say(const Settlements *self, const Settlement *settlement) {
    const AccessReservation *reservation = &settlement->reservation;
    Access *access = self->options.access;
    int r = settlement->charge ? access_charge(access, reservation)
                               : access_release(access, reservation);
    char id[UUID_TEXT_SIZE];

    if (r < 0) {
        return r;
    }
    uuid_text(&reservation->reservation_id, id);
    if (r == 0 && settlement->charge) {
        metric_add(self->options.charged, (double)reservation->amount / CREDIT);
    }
    if (r == 0) {
        log_info("credits settled late", LOG_STR("reservation", id),
                 LOG_BOOL("charge", settlement->charge));
    } else {
        log_error("credits not settled", LOG_STR("reservation", id),
                  LOG_STR("error", "reservation settled before, or expired"));
    }
    return r;
}

/* One of them, without the lock meanwhile. One that fails lets the others go before it. */
static void say_first(Settlements *self) {
    Settlement *settlement = take_first(self);
    uint64_t now_ms;
    int r;

    pthread_mutex_unlock(&self->lock);
    r = say(self, settlement);
    now_ms = clock_mono_ms();
    pthread_mutex_lock(&self->lock);
    if (r >= 0 || now_ms - settlement->since_ms > SETTLEMENTS_KEEP_MS) {
        drop(self, settlement);
        self->pause_ms = self->options.retry_ms;
        return;
    }
    append(self, settlement);
    self->next_ms = now_ms + self->pause_ms;
    self->pause_ms = MIN(self->pause_ms * 2, MAX(self->options.retry_ms, (uint32_t)RETRY_MAX_MS));
}

static void say_what_is_left(Settlements *self) {
    int r = 0;

    while (self->first && r >= 0) {
        Settlement *settlement = take_first(self);
        r = say(self, settlement);
        drop(self, settlement);
    }
    if (r < 0) {
        log_error("credits not settled", LOG_INT("reservations", (int64_t)self->count + 1));
    }
    while (self->first) {
        drop(self, take_first(self));
    }
}

static void *run(void *userdata) {
    Settlements *self = userdata;

    pthread_setname_np(pthread_self(), "settlements");
    pthread_mutex_lock(&self->lock);
    while (!self->ending) {
        if (!self->first) {
            pthread_cond_wait(&self->wake, &self->lock);
        } else if (clock_mono_ms() < self->next_ms) {
            wait_until(&self->wake, &self->lock, self->next_ms);
        } else {
            say_first(self);
        }
    }
    say_what_is_left(self);
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

int settlements_new(const SettlementsOptions *options, Settlements **ret_settlements) {
    Settlements *self = calloc(1, sizeof(*self));
    int r;

    if (!self) {
        return err_trace(-ENOMEM);
    }
    self->options = *options;
    self->last = &self->first;
    self->pause_ms = options->retry_ms;
    self->waiting = metrics_gauge(options->metrics, "imagesync_settlements_waiting", "",
                                  "Charges and releases that the user service is yet to be told.");
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wake, NULL);
    r = -pthread_create(&self->thread, NULL, run, self);
    if (r < 0) {
        pthread_cond_destroy(&self->wake);
        pthread_mutex_destroy(&self->lock);
        free(self);
        return err_trace(r);
    }
    *ret_settlements = self;
    return 0;
}

bool settlements_add(Settlements *self, const AccessReservation *reservation, bool charge) {
    Settlement *settlement = malloc(sizeof(*settlement));
    bool kept;

    if (!settlement) {
        return false;
    }
    *settlement =
        (Settlement){.reservation = *reservation, .charge = charge, .since_ms = clock_mono_ms()};
    pthread_mutex_lock(&self->lock);
    kept = self->count < SETTLEMENTS_MAX;
    if (kept) {
        if (self->count == 0) {
            self->next_ms = settlement->since_ms + self->options.retry_ms;
        }
        append(self, settlement);
        metric_set(self->waiting, (double)++self->count);
        pthread_cond_signal(&self->wake);
    } else {
        free(settlement);
    }
    pthread_mutex_unlock(&self->lock);
    return kept;
}

Settlements *settlements_free(Settlements *self) {
    if (self) {
        pthread_mutex_lock(&self->lock);
        self->ending = true;
        pthread_cond_signal(&self->wake);
        pthread_mutex_unlock(&self->lock);
        pthread_join(self->thread, NULL);
        pthread_cond_destroy(&self->wake);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
    return NULL;
}
