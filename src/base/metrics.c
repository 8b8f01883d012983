/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

typedef enum MetricType {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
} MetricType;

static const char *const type_names[] = {"counter", "gauge", "histogram"};

/* Upper bounds in seconds; "+Inf" follows. */
static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                0.5,   1,      2.5,   5,    10,    20,   30,  60};
#define BUCKETS (ARRAY_LEN(bounds) + 1)

struct Metric {
    Metric *next; /* of the same name, in order of registration */
    char *labels;
    _Atomic double value;           /* histogram: the sum */
    _Atomic uint64_t hits[BUCKETS]; /* per bucket, not cumulative */
};

/* All metrics of one name; HELP and TYPE are said once for them. */
typedef struct Family {
    struct Family *next;
    char *name, *help;
    MetricType type;
    Metric *metrics;
} Family;

typedef struct Collector {
    struct Collector *next;
    MetricsCollect *collect;
    void *userdata;
} Collector;

struct Metrics {
    pthread_mutex_t lock; /* the lists; values are atomic */
    Family *families;
    Collector *collectors;
};

static void *must(void *memory) {
    if (!memory) {
        abort();
    }
    return memory;
}

Metrics *metrics_new(void) {
    Metrics *metrics = must(calloc(1, sizeof(*metrics)));
    pthread_mutex_init(&metrics->lock, NULL);
    return metrics;
}

static Family *family_free(Family *family) {
    Family *next = family->next;

    for (Metric *metric = family->metrics, *after; metric; metric = after) {
        after = metric->next;
        free(metric->labels);
        free(metric);
    }
    free(family->name);
    free(family->help);
    free(family);
    return next;
}

Metrics *metrics_free(Metrics *metrics) {
    if (metrics) {
        for (Family *family = metrics->families; family;) {
            family = family_free(family);
        }
        for (Collector *collector = metrics->collectors, *next; collector; collector = next) {
            next = collector->next;
            free(collector);
        }
        pthread_mutex_destroy(&metrics->lock);
        free(metrics);
    }
    return NULL;
}

static Family *find_family(Metrics *metrics, const char *name, MetricType type, const char *help) {
    Family **at = &metrics->families;
    Family *family;

    for (; *at; at = &(*at)->next) {
        if (strcmp((*at)->name, name) == 0) {
            assert((*at)->type == type);
            return *at;
        }
    }
    family = must(calloc(1, sizeof(*family)));
    family->name = must(strdup(name));
    family->help = must(strdup(help));
    family->type = type;
    *at = family;
    return family;
}

static Metric *get(Metrics *metrics, const char *name, const char *labels, const char *help,
                   MetricType type) {
    Metric **at;
    Metric *metric;

    pthread_mutex_lock(&metrics->lock);
    at = &find_family(metrics, name, type, help)->metrics;
    while (*at && strcmp((*at)->labels, labels) != 0) {
        at = &(*at)->next;
    }
    if (!*at) {
        *at = must(calloc(1, sizeof(**at)));
        (*at)->labels = must(strdup(labels));
    }
    metric = *at;
    pthread_mutex_unlock(&metrics->lock);
    return metric;
}

Metric *metrics_counter(Metrics *metrics, const char *name, const char *labels, const char *help) {
    return get(metrics, name, labels, help, METRIC_COUNTER);
}

Metric *metrics_gauge(Metrics *metrics, const char *name, const char *labels, const char *help) {
    return get(metrics, name, labels, help, METRIC_GAUGE);
}

Metric *metrics_histogram(Metrics *metrics, const char *name, const char *labels,
                          const char *help) {
    return get(metrics, name, labels, help, METRIC_HISTOGRAM);
}

void metric_add(Metric *metric, double amount) {
    double old = atomic_load_explicit(&metric->value, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(&metric->value, &old, old + amount,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void metric_set(Metric *metric, double value) {
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe(Metric *metric, double seconds) {
    size_t bucket = 0;

    while (bucket < ARRAY_LEN(bounds) && seconds > bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&metric->hits[bucket], 1, memory_order_relaxed);
    metric_add(metric, seconds);
}

void metrics_collector_add(Metrics *metrics, MetricsCollect *collect, void *userdata) {
    Collector *collector = must(malloc(sizeof(*collector)));

    pthread_mutex_lock(&metrics->lock);
    *collector = (Collector){metrics->collectors, collect, userdata};
    metrics->collectors = collector;
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_collector_remove(Metrics *metrics, const void *userdata) {
    Collector **place = &metrics->collectors, *removed;

    pthread_mutex_lock(&metrics->lock);
    while (*place && (*place)->userdata != userdata) {
        place = &(*place)->next;
    }
    removed = *place;
    if (removed) {
        *place = removed->next;
    }
    pthread_mutex_unlock(&metrics->lock);
    free(removed);
}

/* Shortest form that reads back as the same number, as Prometheus' own clients write it. */
static void add_number(Buf *out, double value) {
    if (isnan(value)) {
        buf_add_str(out, str_lit("NaN"));
    } else if (isinf(value)) {
        buf_add_str(out, value > 0 ? str_lit("+Inf") : str_lit("-Inf"));
    } else if (fabs(value) < 0x1p53 && value == floor(value)) {
        buf_addf(out, "%lld", (long long)value);
    } else {
        buf_addf(out, "%.15g", value);
    }
}

static void add_sample(Buf *out, const Family *family, const char *suffix, const Metric *metric,
                       double value) {
    buf_addf(out, "%s%s", family->name, suffix);
    if (*metric->labels) {
        buf_addf(out, "{%s}", metric->labels);
    }
    buf_add_str(out, str_lit(" "));
    add_number(out, value);
    buf_add_str(out, str_lit("\n"));
}

static void add_histogram(Buf *out, const Family *family, Metric *metric) {
    const char *comma = *metric->labels ? "," : "";
    uint64_t total = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        total += atomic_load_explicit(&metric->hits[i], memory_order_relaxed);
        buf_addf(out, "%s_bucket{%s%sle=\"", family->name, metric->labels, comma);
        add_number(out, i < ARRAY_LEN(bounds) ? bounds[i] : INFINITY);
        buf_addf(out, "\"} %llu\n", (unsigned long long)total);
    }
    add_sample(out, family, "_sum", metric,
               atomic_load_explicit(&metric->value, memory_order_relaxed));
    /* The same total as in +Inf, whatever was observed meanwhile. */
    add_sample(out, family, "_count", metric, (double)total);
}

void metrics_render(Metrics *metrics, Buf *out) {
    pthread_mutex_lock(&metrics->lock);
    for (const Collector *collector = metrics->collectors; collector; collector = collector->next) {
        collector->collect(collector->userdata);
    }
    for (Family *family = metrics->families; family; family = family->next) {
        buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                 type_names[family->type]);
        for (Metric *metric = family->metrics; metric; metric = metric->next) {
            if (family->type == METRIC_HISTOGRAM) {
                add_histogram(out, family, metric);
            } else {
                add_sample(out, family, "", metric,
                           atomic_load_explicit(&metric->value, memory_order_relaxed));
            }
        }
    }
    pthread_mutex_unlock(&metrics->lock);
}
