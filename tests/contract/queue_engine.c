/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/queue_engine.h"

#include "adapters/db/migrations.h"
#include "adapters/queue/rabbitmq/rabbitmq.h"
#include "adapters/queue/sql/sql.h"
#include "db_testing.h"

#include <errno.h>
#include <stdio.h>

static int open_sql(const char *url, const QueuePolicy *policy, int64_t (*now_us)(void),
                    QueueEngine *engine) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueSqlOptions options = {.policy = *policy, .now_us = now_us};
    const char *error = "";
    size_t n;
    int r = db_engine_open(url, &engine->db);

    if (r == 0) {
        r = migrations_up(engine->db, migrations_embedded, 0, arena, &n, &error);
    }
    if (r == 0) {
        options.db = engine->db;
        r = queue_sql_new(&options, &engine->queue);
    }
    engine->is_exact = true;
    if (r != 0) {
        fprintf(stderr, "%s: %s (%d)\n", url, error, r);
    }
    return r;
}

static void say(const char *server, const char *reason) {
    fprintf(stderr, "%s: %s\n", server, reason ? reason : "usable again");
}

/* Whom it trusts says QUEUE_CA_FILE, what it shows QUEUE_CLIENT_FILE. */
static int open_rabbitmq(const char *url, const QueuePolicy *policy, QueueEngine *engine) {
    QueueRabbitmqOptions options = {
        .url = url,
        .files = {.authorities = getenv("QUEUE_CA_FILE"), .own = getenv("QUEUE_CLIENT_FILE")},
        .tell = say,
        .policy = *policy,
        .idle_ms = 1500};
    const char *error = "";
    int r = queue_rabbitmq_new(&options, &engine->queue, &error);

    if (r < 0) {
        fprintf(stderr, "%s (%d)\n", error, r);
    }
    return r;
}

int queue_engine_open(const char *url, const QueuePolicy *policy, int64_t (*now_us)(void),
                      QueueEngine *ret_engine) {
    *ret_engine = (QueueEngine){0};
    if (str_starts_with(str_from(url), str_lit("amqp"))) {
        return open_rabbitmq(url, policy, ret_engine);
    }
    return open_sql(url, policy, now_us, ret_engine);
}

void queue_engine_empty(QueueEngine *engine) {
    static char script[] =
        "DELETE FROM queue_job; DELETE FROM queue_payload; DELETE FROM queue_outbox;";

    if (engine->db) {
        assert_int_equal(db_write(engine->db, run_script, script, NULL), 0);
    }
}

void queue_engine_close(QueueEngine *engine) {
    queue_free(engine->queue);
    db_free(engine->db);
    *engine = (QueueEngine){0};
}
