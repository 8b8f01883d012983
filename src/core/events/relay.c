/* SPDX-License-Identifier: Apache-2.0 */
#include "core/events/relay.h"

#include "base/clock.h"
#include "base/error.h"
#include "core/events/relay_private.h"

#define LEASE_MS 30000
/* How often the oldest event that is not relayed is looked for. */
#define LOOK_MS 5000

static void register_metrics(EventRelay *relay, Metrics *metrics) {
    relay->relayed = metrics_counter(metrics, "imagesync_events_relayed_total", "",
                                     "Events that were moved to the broker.");
    relay->failures =
        metrics_counter(metrics, "imagesync_events_relay_failures_total", "",
                        "Times that the broker or the database did not take or give events.");
    relay->lag_s = metrics_gauge(metrics, "imagesync_events_relay_lag_seconds", "",
                                 "Age of the oldest event that was not moved to the broker yet; 0 "
                                 "in a process that moves none.");
    relay->shards = metrics_gauge(metrics, "imagesync_events_relay_shards", "",
                                  "Shards of users whose events this process moves.");
}

int event_relay_new(const EventRelayOptions *options, EventRelay **ret_relay) {
    _cleanup_(event_relay_freep) EventRelay *relay = NULL;
    Uuid id = uuid_new();
    int r;

    if (options->lease_ms > 0 && options->lease_ms < EVENT_RELAY_LEASE_MS_MIN) {
        return err_trace(-EINVAL);
    }
    r = relay_batch_check(options->db);
    r = r < 0 ? r : relay_lease_check(options->db);
    if (r < 0) {
        return err_trace(r);
    }
    relay = calloc(1, sizeof(*relay));
    if (!relay) {
        abort();
    }
    relay->db = options->db;
    relay->sink = options->sink;
    relay->lease_ms = options->lease_ms ? options->lease_ms : LEASE_MS;
    relay->now_us = options->now_us ? options->now_us : clock_unix_us;
    uuid_text(&id, relay->holder);
    if (options->metrics) {
        register_metrics(relay, options->metrics);
    }
    *ret_relay = TAKE_PTR(relay);
    return 0;
}

EventRelay *event_relay_free(EventRelay *relay) {
    if (!relay) {
        return NULL;
    }
    if (relay->held) {
        relay_lease_give(relay);
    }
    arena_free(relay->batch.arena);
    free(relay);
    return NULL;
}

/* So that what is published is moved well within the lease. */
static bool lease_is_young(const EventRelay *relay) {
    return relay->leased_ms > 0 && clock_mono_ms() - relay->leased_ms < relay->lease_ms / 3;
}

static int move_some(EventRelay *relay, size_t *ret_n) {
    int r = lease_is_young(relay) ? 0 : relay_lease_take(relay);

    *ret_n = 0;
    if (r < 0 || !relay->held) {
        return r;
    }
    r = db_read(relay->db, NULL, relay_batch_read, relay);
    if (r < 0 || relay->batch.n_entries == 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    if (relay->batch.n_events > 0) {
        r = event_sink_publish(relay->sink, relay->batch.events, relay->batch.n_events);
    }
    r = r < 0 ? r : db_write(relay->db, relay_batch_move, relay, NULL);
    if (r < 0) {
        return err_trace(r);
    }
    relay->first_shard = (relay->first_shard + 1) % EVENT_SHARDS;
    *ret_n = relay->batch.n_events;
    return 0;
}

static void show(EventRelay *relay, size_t n_moved) {
    int64_t lag_us = relay->oldest_us > 0 ? relay->now_us() - relay->oldest_us : 0;

    metric_add(relay->relayed, (double)n_moved);
    metric_set(relay->lag_s, (double)MAX(lag_us, (int64_t)0) / 1e6);
    metric_set(relay->shards, __builtin_popcount(relay->held));
}

int event_relay_round(EventRelay *relay, size_t *ret_n) {
    size_t n = 0;
    int r = move_some(relay, &n);

    if (r == 0 && !relay->held) {
        relay->oldest_us = 0;
    } else if (clock_mono_ms() - relay->looked_ms >= LOOK_MS || (r == 0 && n == 0)) {
        relay->looked_ms = clock_mono_ms();
        (void)db_read(relay->db, NULL, relay_batch_oldest, relay);
    }
    if (relay->relayed) {
        metric_add(relay->failures, r < 0 ? 1 : 0);
        show(relay, n);
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_n = n;
    return 0;
}
