/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The event log:
 *
 *   event_bench URL THREADS EVENTS [kafka://...]    sqlite:FILE or postgresql://... (migrated here)
 *
 * Events of 300 bytes are appended to 100 users, each durable before the next of its thread, while
 * a feed that is told nothing looks for them on a database handle of its own; then they are
 * relayed, to nowhere or to Kafka. Prints events a second, the median and 99th percentile of an
 * append, and of the time from the end of its transaction to the feed's call.
 */

#include "adapters/db/migrations.h"
#include "adapters/db/postgres/postgres.h"
#include "adapters/db/sqlite/sqlite.h"
#include "adapters/events/kafka/kafka.h"
#include "base/clock.h"
#include "core/events/event_feed.h"
#include "core/events/relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define THREADS_MAX 256
#define USERS       100
#define TOPIC       "bench"

/* The last event of a user that was committed and not heard of yet. */
typedef struct Watched {
    Uuid user_id;
    _Atomic uint64_t since_us; /* 0: none */
} Watched;

typedef struct Bench {
    Db *db, *other;
    uint64_t n;
    _Atomic uint64_t n_begun, n_heard;
    uint32_t *append_us, *heard_us;
    Watched users[USERS];
} Bench;

static Bench bench;

static Db *open_db(const char *url) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *error = "";
    Db *db = NULL;
    size_t n;
    int r;

    if (str_starts_with(str_from(url), str_lit("sqlite:"))) {
        DbSqliteOptions options = {.path = url + strlen("sqlite:"), .readers_max = 64};
        r = db_sqlite_open(&options, arena, &db, &error);
    } else {
        r = db_postgres_new(&(DbPostgresOptions){.url = url, .pool_size = 40}, &db);
    }
    r = r < 0 ? r : migrations_up(db, migrations_embedded, 0, arena, &n, &error);
    r = r != 0 ? r : event_log_check(db, &error);
    if (r != 0) {
        fprintf(stderr, "%s (%d)\n", error, r);
        exit(1);
    }
    return db;
}

static int append_work(DbTx *tx, void *userdata) {
    static const char state[300];
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Event event = {.user_id = *(const Uuid *)userdata,
                   .topic = TOPIC,
                   .kind = "photo",
                   .object_id = uuid_new(),
                   .version = 1,
                   .at_us = clock_unix_us(),
                   .facts = "{\"bytes\":1234567}",
                   .sealed = {state, sizeof(state)}};

    return event_log_append(tx, &event, arena);
}

static void *append(void *userdata) {
    uint64_t i;

    (void)userdata;
    while ((i = atomic_fetch_add(&bench.n_begun, 1)) < bench.n) {
        Watched *user = &bench.users[i % USERS];
        uint64_t start = clock_mono_us(), none = 0;
        int r;
        do {
            r = db_write(bench.db, append_work, &user->user_id, NULL);
        } while (r == -EBUSY);
        if (r < 0) {
            fprintf(stderr, "an append failed (%d)\n", r);
            exit(1);
        }
        bench.append_us[i] = (uint32_t)(clock_mono_us() - start);
        atomic_compare_exchange_strong(&user->since_us, &none, clock_mono_us());
    }
    return NULL;
}

static void hear(void *userdata, int64_t seq) {
    Watched *user = userdata;
    uint64_t since_us = atomic_exchange(&user->since_us, 0);

    (void)seq;
    if (since_us > 0) {
        uint64_t i = atomic_fetch_add(&bench.n_heard, 1);
        bench.heard_us[i % bench.n] = (uint32_t)(clock_mono_us() - since_us);
    }
}

static int by_size(const void *a, const void *b) {
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;

    return one < two ? -1 : one > two;
}

static double percentile(uint32_t *us, uint64_t n, double part) {
    qsort(us, n, sizeof(*us), by_size);
    return n > 0 ? us[(size_t)((double)(n - 1) * part)] / 1000.0 : 0;
}

static int publish_nowhere(EventSink *self, const Event *events, size_t n) {
    (void)self;
    (void)events;
    (void)n;
    return 0;
}

static EventSink *free_nothing(EventSink *self) {
    (void)self;
    return NULL;
}

static void append_all(unsigned n_threads) {
    pthread_t threads[THREADS_MAX];
    EventSubscription *subscriptions[USERS];
    EventFeedOptions options = {0};
    EventFeed *feed = NULL;
    uint64_t start, n_heard;
    double seconds;

    if (event_feed_new(bench.other, &options, &feed) < 0) {
        exit(1);
    }
    for (unsigned i = 0; i < USERS; i++) {
        bench.users[i].user_id = uuid_new();
        subscriptions[i] =
            event_feed_subscribe(feed, &bench.users[i].user_id, TOPIC, 0, hear, &bench.users[i]);
    }
    start = clock_mono_us();
    for (unsigned i = 0; i < n_threads; i++) {
        if (pthread_create(&threads[i], NULL, append, NULL) != 0) {
            exit(1);
        }
    }
    for (unsigned i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
    }
    seconds = (double)(clock_mono_us() - start) / 1e6;
    for (unsigned i = 0; i < USERS; i++) {
        event_feed_unsubscribe(feed, subscriptions[i]);
    }
    event_feed_free(feed);
    n_heard = MIN(atomic_load(&bench.n_heard), bench.n);
    printf("%.0f appended/s (median %.2f ms, p99 %.2f ms), heard elsewhere after %.1f ms (p99 %.1f "
           "ms)",
           (double)bench.n / seconds, percentile(bench.append_us, bench.n, 0.5),
           percentile(bench.append_us, bench.n, 0.99), percentile(bench.heard_us, n_heard, 0.5),
           percentile(bench.heard_us, n_heard, 0.99));
}

static void relay_all(const char *kafka_url) {
    static const EventSinkImpl nowhere = {.publish = publish_nowhere, .free = free_nothing};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    EventSink sink = {&nowhere};
    EventRelayOptions options = {.db = bench.db, .sink = &sink};
    EventRelay *relay = NULL;
    const char *error = "";
    uint64_t start, all = 0;
    size_t n = 1;
    double seconds;

    if (kafka_url && events_kafka_new(&(EventsKafkaOptions){.url = kafka_url}, arena, &options.sink,
                                      &error) < 0) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    if (event_relay_new(&options, &relay) < 0) {
        exit(1);
    }
    start = clock_mono_us();
    while (n > 0) {
        if (event_relay_round(relay, &n) < 0) {
            fprintf(stderr, "a round failed\n");
            exit(1);
        }
        all += n;
    }
    seconds = (double)(clock_mono_us() - start) / 1e6;
    event_relay_free(relay);
    event_sink_free(options.sink);
    printf(", %.0f relayed/s%s\n", (double)all / seconds, kafka_url ? " to Kafka" : "");
}

int main(int argc, char **argv) {
    uint64_t n_threads = 0;

    if (argc < 4 || argc > 5 || str_to_u64(str_from(argv[2]), &n_threads) < 0 || n_threads < 1 ||
        n_threads > THREADS_MAX || str_to_u64(str_from(argv[3]), &bench.n) < 0 || bench.n < 1 ||
        bench.n > 10000000) {
        fprintf(stderr, "usage: event_bench URL THREADS EVENTS [kafka://...]\n");
        return 2;
    }
    bench.append_us = calloc(bench.n, sizeof(uint32_t));
    bench.heard_us = calloc(bench.n, sizeof(uint32_t));
    if (!bench.append_us || !bench.heard_us) {
        abort();
    }
    bench.db = open_db(argv[1]);
    bench.other = open_db(argv[1]);
    append_all((unsigned)n_threads);
    relay_all(argc == 5 ? argv[4] : NULL);
    db_free(bench.other);
    db_free(bench.db);
    free(bench.append_us);
    free(bench.heard_us);
    return 0;
}
