/* SPDX-License-Identifier: Apache-2.0 */

/* What the queue in SQL says of itself in the metrics: on the database of the URL in argv[1]. */

#include "adapters/queue/sql/sql.h"
#include "contract/queue_testing.h"

#include <stdio.h>

static QueueEngine engine;

static void assert_metric(Metrics *metrics, const char *line) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    metrics_render(metrics, &text);
    if (!strstr(buf_cstr(&text), line)) {
        fail_msg("no line '%s' in\n%s", line, buf_cstr(&text));
    }
}

static void metrics_say_what_happens(void **state) {
    const QueuePolicy policy = {.attempts_max = 2};
    _cleanup_(metrics_freep) Metrics *metrics = metrics_new();
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(queue_freep) Queue *mine = NULL;
    QueueLease lease;

    (void)state;
    queue_engine_empty(&engine);
    assert_int_equal(
        queue_sql_new(&(QueueSqlOptions){.db = engine.db, .policy = policy, .metrics = metrics},
                      &mine),
        0);
    for (unsigned i = 0; i < 2; i++) {
        QueueJob job = queue_testing_job("metrics", QUEUE_PAID_INTERACTIVE, i, "x");
        queue_testing_put(mine, &job);
    }
    queue_testing_do(mine, "metrics", arena);
    lease = queue_testing_expect(mine, "metrics", LONG_MS, arena);
    assert_int_equal(queue_fail(mine, &lease, "once", 0), 0);
    lease = queue_testing_expect(mine, "metrics", LONG_MS, arena);
    assert_int_equal(queue_fail(mine, &lease, "twice", 0), 0);
    assert_metric(metrics, "imagesync_queue_jobs{state=\"ready\"} 2\n");
    assert_metric(metrics, "imagesync_queue_jobs{state=\"leased\"} 0\n");
    assert_metric(metrics, "imagesync_queue_oldest_seconds 0");
    assert_metric(metrics, "imagesync_queue_events_total{event=\"put\"} 2\n");
    assert_metric(metrics, "imagesync_queue_events_total{event=\"taken\"} 3\n");
    assert_metric(metrics, "imagesync_queue_events_total{event=\"done\"} 1\n");
    assert_metric(metrics, "imagesync_queue_events_total{event=\"failed\"} 1\n");
    assert_metric(metrics, "imagesync_queue_events_total{event=\"dead\"} 1\n");
}

int main(int argc, char **argv) {
    const QueuePolicy policy = {.attempts_max = ATTEMPTS_MAX};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_say_what_happens),
    };
    int failed;

    if (argc != 2 || queue_engine_open(argv[1], &policy, NULL, &engine) != 0) {
        fprintf(stderr, "usage: queue_metrics_contract URL\n");
        return 2;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    queue_engine_close(&engine);
    return failed;
}
