/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cache/read_through.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/wait.h"

#include <assert.h>
#include <pthread.h>

/* The first byte of what is cached. */
#define MARK_VALUE '+'
#define MARK_NONE  '-'

/* A load under way, of the caller that began it and of those who wait. */
typedef struct Flight {
    struct Flight *next;
    unsigned users; /* under the lock of the whole */
    pthread_cond_t landed;
    bool done;
    int result;
    Buf value; /* when done with 0 */

    /* Held while the result is cached, so that read_through_forget() comes before or after. */
    pthread_mutex_t store_lock;
    bool forgotten;

    size_t key_len;
    char key[CACHE_KEY_LEN_MAX];
} Flight;

struct ReadThrough {
    Cache *cache;
    pthread_mutex_t lock;
    Flight *flights; /* those that can be joined: at most one a thread, so the list is short */
};

ReadThrough *read_through_new(Cache *cache) {
    ReadThrough *self = calloc(1, sizeof(*self));

    if (!self) {
        abort();
    }
    self->cache = cache;
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

ReadThrough *read_through_free(ReadThrough *self) {
    if (self) {
        assert(!self->flights);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
    return NULL;
}

static Flight *flight_new(Str key) {
    Flight *flight = calloc(1, sizeof(*flight));

    if (!flight) {
        abort();
    }
    pthread_cond_init(&flight->landed, NULL);
    pthread_mutex_init(&flight->store_lock, NULL);
    flight->users = 1;
    flight->key_len = key.len;
    memcpy(flight->key, key.ptr, key.len);
    return flight;
}

static void flight_leave(ReadThrough *self, Flight *flight) {
    bool last;

    pthread_mutex_lock(&self->lock);
    last = --flight->users == 0;
    pthread_mutex_unlock(&self->lock);
    if (last) {
        pthread_cond_destroy(&flight->landed);
        pthread_mutex_destroy(&flight->store_lock);
        buf_done(&flight->value);
        free(flight);
    }
}

/* With the lock held: the place that points at the flight of that key, or at NULL. */
static Flight **place_of(ReadThrough *self, Str key) {
    Flight **place = &self->flights;

    while (*place && !str_equal((Str){(*place)->key, (*place)->key_len}, key)) {
        place = &(*place)->next;
    }
    return place;
}

/* Takes it off the list, if read_through_forget() has not. */
static void flight_unlist(ReadThrough *self, const Flight *flight) {
    Flight **place = &self->flights;

    while (*place && *place != flight) {
        place = &(*place)->next;
    }
    if (*place) {
        *place = flight->next;
    }
}

/* What the cache says: 0, READ_THROUGH_E_NONE, or a fault, CACHE_E_MISS as -ENOENT among them. */
static int look_up(ReadThrough *self, Str key, Arena *arena, Str *ret_value) {
    Str cached;
    int r = cache_get(self->cache, key, arena, &cached);

    if (r != 0) {
        return r < 0 ? r : -ENOENT;
    }
    if (cached.len > 0 && cached.ptr[0] == MARK_VALUE) {
        *ret_value = (Str){cached.ptr + 1, cached.len - 1};
        return 0;
    }
    return cached.len == 1 && cached.ptr[0] == MARK_NONE ? READ_THROUGH_E_NONE : -ENOENT;
}

/* A cache that does not take it is lived without. */
static void store(ReadThrough *self, Flight *flight, const ReadThroughPolicy *policy, int result,
                  Str value) {
    Str key = {flight->key, flight->key_len};
    _cleanup_(buf_done) Buf marked = BUF_INIT;
    uint32_t ttl_ms = result == 0 ? policy->ttl_ms : policy->none_ttl_ms;

    if (result < 0 || ttl_ms == 0) {
        return;
    }
    buf_add(&marked, result == 0 ? &(char){MARK_VALUE} : &(char){MARK_NONE}, 1);
    if (result == 0) {
        buf_add_str(&marked, value);
    }
    pthread_mutex_lock(&flight->store_lock);
    if (!flight->forgotten) {
        (void)cache_put(self->cache, key, buf_str(&marked), ttl_ms);
    }
    pthread_mutex_unlock(&flight->store_lock);
}

static void land(ReadThrough *self, Flight *flight, int result, Str value) {
    bool awaited;

    pthread_mutex_lock(&self->lock);
    flight_unlist(self, flight);
    awaited = flight->users > 1;
    pthread_mutex_unlock(&self->lock);
    /* Nobody joins any more, so this is for those who are there, and when nobody is, for none. */
    if (result == 0 && awaited) {
        buf_add_str(&flight->value, value);
    }
    pthread_mutex_lock(&self->lock);
    flight->done = true;
    flight->result = result;
    pthread_cond_broadcast(&flight->landed);
    pthread_mutex_unlock(&self->lock);
    flight_leave(self, flight);
}

static int lead(ReadThrough *self, Flight *flight, const ReadThroughPolicy *policy,
                ReadThroughLoad *load, void *userdata, Arena *arena, Str *ret_value) {
    Str value = {"", 0};
    /* Another load may have ended between the miss and the beginning of this one. */
    int r = look_up(self, (Str){flight->key, flight->key_len}, arena, &value);

    if (r < 0) {
        r = load(userdata, arena, &value);
        assert(r <= READ_THROUGH_E_NONE);
        if (r == 0 && value.len > READ_THROUGH_VALUE_LEN_MAX) {
            r = -EINVAL;
        }
        /* Before it is unlisted: whoever misses it here must find it there. */
        store(self, flight, policy, r, value);
    }
    land(self, flight, r, value);
    if (r == 0) {
        *ret_value = value;
    }
    return r < 0 ? err_trace(r) : r;
}

static int follow(ReadThrough *self, Flight *flight, uint32_t wait_ms, Arena *arena,
                  Str *ret_value) {
    uint64_t until_ms = clock_mono_ms() + wait_ms;
    int r;

    pthread_mutex_lock(&self->lock);
    while (!flight->done && wait_until(&flight->landed, &self->lock, until_ms)) {
    }
    r = flight->done ? flight->result : -ETIMEDOUT;
    pthread_mutex_unlock(&self->lock);
    if (r == 0) {
        /* It does not change any more, and this caller still holds it. */
        *ret_value = (Str){arena_strdup(arena, buf_str(&flight->value)), flight->value.len};
    }
    flight_leave(self, flight);
    return r < 0 ? err_trace(r) : r;
}

int read_through_get(ReadThrough *self, Str key, const ReadThroughPolicy *policy,
                     ReadThroughLoad *load, void *userdata, Arena *arena, Str *ret_value) {
    Flight *flight;
    bool leader;
    int r = look_up(self, key, arena, ret_value);

    assert(policy->ttl_ms > 0);
    if (r >= 0 || r == -EINVAL) {
        return r < 0 ? err_trace(r) : r;
    }
    pthread_mutex_lock(&self->lock);
    flight = *place_of(self, key);
    leader = !flight;
    if (leader) {
        flight = flight_new(key);
        flight->next = self->flights;
        self->flights = flight;
    } else {
        flight->users++;
    }
    pthread_mutex_unlock(&self->lock);
    return leader ? lead(self, flight, policy, load, userdata, arena, ret_value)
                  : follow(self, flight, policy->wait_ms, arena, ret_value);
}

int read_through_peek(ReadThrough *self, Str key, Arena *arena, Str *ret_value) {
    int r = look_up(self, key, arena, ret_value);

    return r < 0 ? READ_THROUGH_E_ABSENT : r;
}

/* Nobody joins the load under way from now on, and what it stores, it has stored. */
static void detach(ReadThrough *self, Str key) {
    Flight *flight;

    pthread_mutex_lock(&self->lock);
    flight = *place_of(self, key);
    if (flight) {
        flight->users++;
        flight_unlist(self, flight);
    }
    pthread_mutex_unlock(&self->lock);
    if (flight) {
        pthread_mutex_lock(&flight->store_lock);
        flight->forgotten = true;
        pthread_mutex_unlock(&flight->store_lock);
        flight_leave(self, flight);
    }
}

int read_through_forget(ReadThrough *self, Str key) {
    int r;

    detach(self, key);
    r = cache_remove(self->cache, key);
    /* One that began in between may have found the old value there. */
    detach(self, key);
    return r < 0 ? err_trace(r) : 0;
}

unsigned read_through_waiting(ReadThrough *self, Str key) {
    const Flight *flight;
    unsigned waiting;

    pthread_mutex_lock(&self->lock);
    flight = *place_of(self, key);
    waiting = flight ? flight->users - 1 : 0;
    pthread_mutex_unlock(&self->lock);
    return waiting;
}
