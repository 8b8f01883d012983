/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Jobs put, taken and done, each put acknowledged as durable before the next of its thread:
 *
 *   queue_bench URL THREADS JOBS    sqlite:FILE, postgresql://... (migrated here) or amqp://...
 *
 * Half of the users pay, half of the jobs are batch. Prints jobs a second and the median and 99th
 * percentile of a put.
 */

#include "adapters/db/migrations.h"
#include "adapters/db/postgres/postgres.h"
#include "adapters/db/sqlite/sqlite.h"
#include "adapters/queue/rabbitmq/rabbitmq.h"
#include "adapters/queue/sql/sql.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define THREADS_MAX 256
#define USERS       100

typedef struct Bench {
    Db *db;
    Queue *queue;
    uint64_t n;
    _Atomic uint64_t n_put, n_done;
    uint32_t *put_us; /* of each put */
} Bench;

static int open_queue(const char *url, Bench *bench) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *error = "";
    size_t n;
    int r;

    if (str_starts_with(str_from(url), str_lit("amqp:"))) {
        QueueRabbitmqOptions options = {.url = url, .prefix = "bench"};
        return queue_rabbitmq_new(&options, &bench->queue, &error);
    }
    if (str_starts_with(str_from(url), str_lit("sqlite:"))) {
        DbSqliteOptions options = {.path = url + strlen("sqlite:"), .readers_max = 64};
        r = db_sqlite_open(&options, arena, &bench->db, &error);
    } else {
        r = db_postgres_new(&(DbPostgresOptions){.url = url, .pool_size = 40}, &bench->db);
    }
    r = r < 0 ? r : migrations_up(bench->db, migrations_embedded, 0, arena, &n, &error);
    return r != 0 ? -1 : queue_sql_new(&(QueueSqlOptions){.db = bench->db}, &bench->queue);
}

static void *put(void *userdata) {
    Bench *bench = userdata;
    uint64_t i;

    while ((i = atomic_fetch_add(&bench->n_put, 1)) < bench->n) {
        QueueJob job = {.id = uuid_new(),
                        .kind = "bench",
                        .lane = (QueueLane)(i % _QUEUE_LANE_MAX),
                        .payload = str_lit("{\"photo\":\"0190a6f2-1111-7222-8333-444455556666\"}")};
        uint64_t start = clock_mono_us();
        job.user_id = (Uuid){{(uint8_t)(i % USERS), 0, 0, 0, 0, 0, 0x70, 0, 0x80}};
        if (queue_put(bench->queue, &job, 1) < 0) {
            fprintf(stderr, "a put failed\n");
            exit(1);
        }
        bench->put_us[i] = (uint32_t)(clock_mono_us() - start);
    }
    return NULL;
}

static void *take(void *userdata) {
    static const char *const kinds[] = {"bench"};
    const QueueTake how = {kinds, 1, "bench", 60000, 100};
    Bench *bench = userdata;

    while (atomic_load(&bench->n_done) < bench->n) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        QueueLease lease;
        int r = queue_take(bench->queue, &how, arena, &lease);
        if (r < 0 || (r == 0 && queue_done(bench->queue, &lease) != 0)) {
            fprintf(stderr, "a take failed: %d\n", r);
        } else if (r == 0) {
            atomic_fetch_add(&bench->n_done, 1);
        }
    }
    return NULL;
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    pthread_t putters[THREADS_MAX], takers[THREADS_MAX];
    uint64_t n_threads = 0, start;
    Bench bench = {0};
    uint32_t median_us, p99_us;
    double seconds;

    if (argc != 4 || str_to_u64(str_from(argv[2]), &n_threads) < 0 || n_threads == 0 ||
        n_threads > THREADS_MAX || str_to_u64(str_from(argv[3]), &bench.n) < 0 || bench.n == 0 ||
        open_queue(argv[1], &bench) < 0) {
        fprintf(stderr, "usage: queue_bench URL THREADS JOBS\n");
        return 2;
    }
    bench.put_us = calloc(bench.n, sizeof(*bench.put_us));
    if (!bench.put_us) {
        return 1;
    }
    start = clock_mono_us();
    for (uint64_t i = 0; i < n_threads; i++) {
        pthread_create(&putters[i], NULL, put, &bench);
        pthread_create(&takers[i], NULL, take, &bench);
    }
    for (uint64_t i = 0; i < n_threads; i++) {
        pthread_join(putters[i], NULL);
    }
    for (uint64_t i = 0; i < n_threads; i++) {
        pthread_join(takers[i], NULL);
    }
    seconds = (double)(clock_mono_us() - start) / 1e6;
    qsort(bench.put_us, bench.n, sizeof(*bench.put_us), compare);
    median_us = bench.put_us[bench.n / 2];
    p99_us = bench.put_us[bench.n * 99 / 100];
    printf("%.0f jobs/s; put: median %.1f ms, p99 %.1f ms\n", (double)bench.n / seconds,
           (double)median_us / 1e3, (double)p99_us / 1e3);
    queue_free(bench.queue);
    db_free(bench.db);
    free(bench.put_us);
    return 0;
}
