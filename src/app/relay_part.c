/* SPDX-License-Identifier: Apache-2.0 */
#include "app/relay_part.h"

#include "app/registry.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wait.h"
#include "core/events/relay.h"

#include <pthread.h>

/* How soon it looks again when there was nothing to move; and after failures, more and more. */
#define IDLE_MS      200
#define PAUSE_MS     500
#define PAUSE_MS_MAX 15000

struct RelayPart {
    EventSink *sink;
    EventRelay *relay;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* the rest */
    pthread_cond_t wake;
    bool ending;
};

/* Whether to go on. */
static bool wait_for(RelayPart *part, uint32_t ms) {
    uint64_t until_ms = clock_mono_ms() + ms;
    bool ending;

    pthread_mutex_lock(&part->lock);
    while (!part->ending && ms > 0 && wait_until(&part->wake, &part->lock, until_ms)) {
    }
    ending = part->ending;
    pthread_mutex_unlock(&part->lock);
    return !ending;
}

/* Once when it begins, and once when it is over. */
static void say(int r, int r_before) {
    if (r < 0 && r != r_before) {
        log_warn("events are not relayed", LOG_STR("error", strerrordesc_np(-r)));
    } else if (r == 0 && r_before < 0) {
        log_info("events are relayed again");
    }
}

static void *run(void *userdata) {
    RelayPart *part = userdata;
    uint32_t pause_ms = 0, failure_ms = PAUSE_MS;
    int r_before = 0;

    pthread_setname_np(pthread_self(), "event relay");
    while (wait_for(part, pause_ms)) {
        size_t n = 0;
        int r = event_relay_round(part->relay, &n);
        say(r, r_before);
        r_before = r;
        pause_ms = r < 0 ? failure_ms : n > 0 ? 0 : IDLE_MS;
        failure_ms = r < 0 ? MIN(failure_ms * 2, (uint32_t)PAUSE_MS_MAX) : PAUSE_MS;
    }
    return NULL;
}

static int start_thread(RelayPart *part) {
    int r;

    pthread_mutex_init(&part->lock, NULL);
    pthread_cond_init(&part->wake, NULL);
    r = pthread_create(&part->thread, NULL, run, part);
    if (r != 0) {
        return err_trace(-r);
    }
    part->started = true;
    return 0;
}

int relay_part_start(const Settings *settings, Db *db, Metrics *metrics, Arena *arena,
                     RelayPart **ret_part, const char **reterr_text) {
    _cleanup_(relay_part_freep) RelayPart *part = NULL;
    EventRelayOptions options = {.db = db, .metrics = metrics};
    int r;

    if (!settings_events_are_relayed(settings)) {
        *ret_part = NULL;
        return 0;
    }
    part = calloc(1, sizeof(*part));
    if (!part) {
        abort();
    }
    r = registry_open_events(settings, arena, &part->sink, reterr_text);
    if (r < 0) {
        return r;
    }
    options.sink = part->sink;
    r = event_relay_new(&options, &part->relay);
    r = r < 0 ? r : start_thread(part);
    if (r < 0) {
        *reterr_text = arena_printf(arena, "cannot relay events: %s", strerrordesc_np(-r));
        return r;
    }
    *ret_part = TAKE_PTR(part);
    return 0;
}

RelayPart *relay_part_free(RelayPart *part) {
    if (!part) {
        return NULL;
    }
    if (part->started) {
        pthread_mutex_lock(&part->lock);
        part->ending = true;
        pthread_cond_signal(&part->wake);
        pthread_mutex_unlock(&part->lock);
        pthread_join(part->thread, NULL);
        pthread_cond_destroy(&part->wake);
        pthread_mutex_destroy(&part->lock);
    }
    event_relay_free(part->relay);
    event_sink_free(part->sink);
    free(part);
    return NULL;
}
