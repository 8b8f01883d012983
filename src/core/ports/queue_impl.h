/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What those who implement the port core/ports/queue.h do in the same way. */

#include "base/metrics.h"
#include "core/ports/queue.h"

typedef struct QueuePolicy {
    unsigned attempts_max; /* 0: 5 */
    uint32_t aging_ms;     /* 0: 5 minutes */
    /* Of QUEUE_RETRY_BACKOFF: this after the first attempt, doubled with each, and a quarter more
     * or less at random. 0: 1 s, and at most 10 minutes. */
    uint32_t backoff_ms, backoff_ms_max;
} QueuePolicy;

#define QUEUE_ATTEMPTS_MAX 1000

/* 0, with the defaults filled in; or -EINVAL. */
int queue_policy_complete(QueuePolicy *policy);
/* After so many attempts (at least 1). */
uint32_t queue_policy_backoff_ms(const QueuePolicy *policy, unsigned attempts);

/* Counted where it happens; all zero without metrics, and then nothing is counted. */
typedef struct QueueCounters {
    Metric *put, *taken, *done, *failed, *lapsed, *dead;
    Metric *depth_ready, *depth_delayed, *depth_leased, *depth_dead, *oldest_s;
    _Atomic uint64_t shown_ms;
} QueueCounters;

/* `metrics` may be NULL. */
void queue_counters_init(QueueCounters *counters, Metrics *metrics);
void queue_count(Metric *counter, unsigned n); /* accepts NULL */
/* Whether somebody has to count what there is: every 15 s, told to one caller. Any thread. */
bool queue_counters_due(QueueCounters *counters);
/* What is known of it. */
void queue_counters_show(const QueueCounters *counters, const QueueStats *stats);
