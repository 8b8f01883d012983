/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Metrics in the Prometheus text format 0.0.4. Updates are lock-free; registering is not. */

#include "base/str.h"

typedef struct Metrics Metrics;
typedef struct Metric Metric;

Metrics *metrics_new(void);
Metrics *metrics_free(Metrics *metrics);
DEFINE_CLEANUP(Metrics *, metrics_free)

/*
 * `labels` is "" or what stands between the braces: "status=\"200\"". Registering the same name and
 * labels again gives the same metric. Names and label keys are ours, never from outside.
 */
Metric *metrics_counter(Metrics *metrics, const char *name, const char *labels, const char *help);
Metric *metrics_gauge(Metrics *metrics, const char *name, const char *labels, const char *help);
/* Seconds; buckets from 1 ms to 60 s. */
Metric *metrics_histogram(Metrics *metrics, const char *name, const char *labels, const char *help);

void metric_add(Metric *metric, double amount);
void metric_set(Metric *metric, double value);
void metric_observe(Metric *metric, double seconds);

/*
 * For what is counted elsewhere, since many threads would wait for one metric: `collect` is called
 * before each rendering and brings its metrics up to date with metric_set(). It registers nothing.
 * Once it is removed, by its userdata, it is not called any more.
 */
typedef void MetricsCollect(void *userdata);
void metrics_collector_add(Metrics *metrics, MetricsCollect *collect, void *userdata);
void metrics_collector_remove(Metrics *metrics, const void *userdata);

void metrics_render(Metrics *metrics, Buf *out);
