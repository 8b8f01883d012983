/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"
#include "base/test.h"

#include <pthread.h>
#include <stdio.h>

static void renders_each_name_once_with_its_labels(void **state) {
    _cleanup_(metrics_freep) Metrics *metrics = metrics_new();
    _cleanup_(buf_done) Buf out = BUF_INIT;

    (void)state;
    metric_add(metrics_counter(metrics, "jobs_total", "state=\"done\"", "Jobs."), 2);
    metric_set(metrics_gauge(metrics, "queue", "", "Waiting."), -1.5);
    metric_add(metrics_counter(metrics, "jobs_total", "state=\"failed\"", "Jobs."), 1);
    metric_add(metrics_counter(metrics, "jobs_total", "state=\"done\"", "Jobs."), 1);
    metrics_render(metrics, &out);
    assert_string_equal(buf_cstr(&out), "# HELP jobs_total Jobs.\n"
                                        "# TYPE jobs_total counter\n"
                                        "jobs_total{state=\"done\"} 3\n"
                                        "jobs_total{state=\"failed\"} 1\n"
                                        "# HELP queue Waiting.\n"
                                        "# TYPE queue gauge\n"
                                        "queue -1.5\n");
}

static void histogram_buckets_add_up(void **state) {
    _cleanup_(metrics_freep) Metrics *metrics = metrics_new();
    _cleanup_(buf_done) Buf out = BUF_INIT;
    Metric *seconds = metrics_histogram(metrics, "seconds", "route=\"/\"", "Time.");

    (void)state;
    metric_observe(seconds, 0.001); /* a bound belongs to its bucket */
    metric_observe(seconds, 0.3);
    metric_observe(seconds, 61);
    metrics_render(metrics, &out);
    assert_non_null(strstr(buf_cstr(&out), "seconds_bucket{route=\"/\",le=\"0.001\"} 1\n"));
    assert_non_null(strstr(buf_cstr(&out), "seconds_bucket{route=\"/\",le=\"0.25\"} 1\n"));
    assert_non_null(strstr(buf_cstr(&out), "seconds_bucket{route=\"/\",le=\"0.5\"} 2\n"));
    assert_non_null(strstr(buf_cstr(&out), "seconds_bucket{route=\"/\",le=\"60\"} 2\n"));
    assert_non_null(strstr(buf_cstr(&out), "seconds_bucket{route=\"/\",le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(buf_cstr(&out), "seconds_sum{route=\"/\"} 61.301\n"));
    assert_non_null(strstr(buf_cstr(&out), "seconds_count{route=\"/\"} 3\n"));
}

static void *count(void *metrics) {
    for (int i = 0; i < 10000; i++) {
        metric_add(metrics_counter(metrics, "n_total", "", "N."), 1);
    }
    return NULL;
}

static void no_update_is_lost_between_threads(void **state) {
    _cleanup_(metrics_freep) Metrics *metrics = metrics_new();
    _cleanup_(buf_done) Buf out = BUF_INIT;
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, metrics), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    metrics_render(metrics, &out);
    assert_non_null(strstr(buf_cstr(&out), "n_total 40000\n"));
}

typedef struct Source {
    Metric *metric;
    int value;
} Source;

static void collect(void *userdata) {
    const Source *source = userdata;
    metric_set(source->metric, source->value);
}

static void a_collector_is_asked_before_each_rendering_until_removed(void **state) {
    _cleanup_(metrics_freep) Metrics *metrics = metrics_new();
    _cleanup_(buf_done) Buf out = BUF_INIT;
    Source source = {metrics_gauge(metrics, "size", "", "Size."), 1}, other = source;

    (void)state;
    metrics_collector_add(metrics, collect, &source);
    metrics_render(metrics, &out);
    assert_non_null(strstr(buf_cstr(&out), "size 1\n"));
    buf_done(&out);
    source.value = 2;
    metrics_collector_remove(metrics, &other);
    metrics_render(metrics, &out);
    assert_non_null(strstr(buf_cstr(&out), "size 2\n"));
    buf_done(&out);
    source.value = 3;
    metrics_collector_remove(metrics, &source);
    metrics_render(metrics, &out);
    assert_non_null(strstr(buf_cstr(&out), "size 2\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_each_name_once_with_its_labels),
        cmocka_unit_test(histogram_buckets_add_up),
        cmocka_unit_test(a_collector_is_asked_before_each_rendering_until_removed),
        cmocka_unit_test(no_update_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
