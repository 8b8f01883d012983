/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ports/queue_impl.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdatomic.h>

#define ATTEMPTS_DEFAULT       5
#define AGING_MS_DEFAULT       (5u * 60 * 1000)
#define BACKOFF_MS_DEFAULT     1000
#define BACKOFF_MS_MAX_DEFAULT (10u * 60 * 1000)
#define SHOW_MS                15000

int queue_policy_complete(QueuePolicy *policy) {
    if (policy->attempts_max == 0) {
        policy->attempts_max = ATTEMPTS_DEFAULT;
    }
    if (policy->aging_ms == 0) {
        policy->aging_ms = AGING_MS_DEFAULT;
    }
    if (policy->backoff_ms == 0) {
        policy->backoff_ms = BACKOFF_MS_DEFAULT;
    }
    if (policy->backoff_ms_max == 0) {
        policy->backoff_ms_max = MAX(BACKOFF_MS_MAX_DEFAULT, policy->backoff_ms);
    }
    if (policy->attempts_max > QUEUE_ATTEMPTS_MAX || policy->backoff_ms > policy->backoff_ms_max ||
        policy->backoff_ms_max > QUEUE_RETRY_MS_MAX) {
        return err_trace(-EINVAL);
    }
    return 0;
}

uint32_t queue_policy_backoff_ms(const QueuePolicy *policy, unsigned attempts) {
    uint64_t ms = policy->backoff_ms;

    for (unsigned i = 1; i < attempts && ms < policy->backoff_ms_max; i++) {
        ms *= 2;
    }
    ms = MIN(ms, (uint64_t)policy->backoff_ms_max);
    return (uint32_t)(ms - ms / 4 + arc4random_uniform((uint32_t)(ms / 2 + 1)));
}

static Metric *events(Metrics *metrics, const char *labels) {
    return metrics_counter(metrics, "imagesync_queue_events_total", labels,
                           "What this process did with jobs: put, taken, done, failed (and to be "
                           "tried again), lapsed (not finished in time), dead");
}

static Metric *depth(Metrics *metrics, const char *labels) {
    return metrics_gauge(metrics, "imagesync_queue_jobs", labels,
                         "Jobs in the queue, when it was last counted");
}

void queue_counters_init(QueueCounters *counters, Metrics *metrics) {
    *counters = (QueueCounters){0};
    if (!metrics) {
        return;
    }
    *counters = (QueueCounters){
        .put = events(metrics, "event=\"put\""),
        .taken = events(metrics, "event=\"taken\""),
        .done = events(metrics, "event=\"done\""),
        .failed = events(metrics, "event=\"failed\""),
        .lapsed = events(metrics, "event=\"lapsed\""),
        .dead = events(metrics, "event=\"dead\""),
        .depth_ready = depth(metrics, "state=\"ready\""),
        .depth_delayed = depth(metrics, "state=\"delayed\""),
        .depth_leased = depth(metrics, "state=\"leased\""),
        .depth_dead = depth(metrics, "state=\"dead\""),
        .oldest_s = metrics_gauge(metrics, "imagesync_queue_oldest_seconds", "",
                                  "Age of the job that waits longest, when it was last counted"),
    };
}

void queue_count(Metric *counter, unsigned n) {
    if (counter) {
        metric_add(counter, n);
    }
}

bool queue_counters_due(QueueCounters *counters) {
    uint64_t now = clock_mono_ms(), last = atomic_load(&counters->shown_ms);

    return counters->depth_ready && now - last >= SHOW_MS &&
           atomic_compare_exchange_strong(&counters->shown_ms, &last, now);
}

static void show(Metric *gauge, uint64_t value, double unit) {
    if (gauge && value != QUEUE_UNKNOWN) {
        metric_set(gauge, (double)value / unit);
    }
}

void queue_counters_show(const QueueCounters *counters, const QueueStats *stats) {
    show(counters->depth_ready, stats->ready, 1);
    show(counters->depth_delayed, stats->delayed, 1);
    show(counters->depth_leased, stats->leased, 1);
    show(counters->depth_dead, stats->dead, 1);
    show(counters->oldest_s, stats->oldest_ms, 1000);
}
