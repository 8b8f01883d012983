/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A process of the event log, for scripts to kill:
 *
 *   event_client URL append USERS N      N events to USERS new users in turn; "user ID N" each at
 *                                        the end
 *   event_client URL relay SINK LEASE_MS moves events until it is killed, "moved N" each time; SINK
 *                                        is file:PATH or kafka://...
 *   event_client URL left                how many users have events that are not relayed
 */

#include "adapters/events/kafka/kafka.h"
#include "base/clock.h"
#include "contract/event_sink_file.h"
#include "contract/event_testing.h"
#include "core/events/relay.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define WRITERS   4
#define USERS_MAX 1000
#define PAUSE_MS  20

static Db *db;

typedef struct Appending {
    const Uuid *users;
    size_t n_users, n;
    unsigned seed;
} Appending;

static void *append_some(void *userdata) {
    const Appending *appending = userdata;
    char state[200];

    memset(state, 'x', sizeof(state) - 1);
    state[sizeof(state) - 1] = '\0';
    for (size_t i = 0; i < appending->n; i++) {
        Change change = {.user_id =
                             appending->users[(i * 7 + appending->seed) % appending->n_users],
                         .object_id = uuid_new(),
                         .version = 1,
                         .state = state};
        if (event_testing_change(db, &change) != 0) {
            fprintf(stderr, "cannot append\n");
            exit(1);
        }
    }
    return NULL;
}

static int append(size_t n_users, size_t n) {
    static Uuid users[USERS_MAX];
    Appending appending[WRITERS];
    pthread_t threads[WRITERS];
    uint64_t since_ms = clock_mono_ms();

    if (n_users < 1 || n_users > USERS_MAX) {
        return 2;
    }
    for (size_t i = 0; i < n_users; i++) {
        users[i] = uuid_new();
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        appending[i] = (Appending){users, n_users, n / WRITERS + (i < n % WRITERS), i};
        if (pthread_create(&threads[i], NULL, append_some, &appending[i]) != 0) {
            return 1;
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("ms %d\n", (int)(clock_mono_ms() - since_ms));
    for (size_t i = 0; i < n_users; i++) {
        char text[UUID_TEXT_SIZE];
        uuid_text(&users[i], text);
        printf("user %s %lld\n", text, (long long)event_testing_head(db, &users[i]).seq);
    }
    return 0;
}

static int relay(const char *to, uint32_t lease_ms) {
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    EventRelayOptions options = {.db = db, .lease_ms = lease_ms};
    EventsKafkaOptions kafka = {.url = to};
    const char *error = "cannot open the sink";
    EventRelay *moving;
    int r = str_starts_with(str_from(to), str_lit("file:"))
                ? event_sink_file_new(to + 5, &options.sink)
                : events_kafka_new(&kafka, arena, &options.sink, &error);

    r = r < 0 ? r : event_relay_new(&options, &moving);
    if (r < 0) {
        fprintf(stderr, "%s (%d)\n", error, r);
        return 1;
    }
    for (;;) {
        size_t n = 0;
        r = event_relay_round(moving, &n);
        if (n > 0) {
            printf("moved %zu\n", n);
            fflush(stdout);
        } else {
            if (r < 0) {
                printf("failed %d\n", r);
                fflush(stdout);
            }
            nanosleep(&pause, NULL);
        }
    }
}

static int left_work(DbTx *tx, void *userdata) {
    static const DbStatement statement = {"contract_left", "SELECT count(*) FROM event_outbox", 0,
                                          1};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue *row;
    int r = db_query_one(tx, &statement, NULL, arena, &row);

    if (r == 0) {
        *(int64_t *)userdata = row[0].integer;
    }
    return r;
}

int main(int argc, char **argv) {
    int64_t left = -1;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc < 3 || event_testing_open(argv[1], &db) != 0) {
        return 2;
    }
    if (strcmp(argv[2], "append") == 0 && argc == 5) {
        return append(strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    }
    if (strcmp(argv[2], "relay") == 0 && argc == 5) {
        return relay(argv[3], (uint32_t)strtoul(argv[4], NULL, 10));
    }
    if (strcmp(argv[2], "left") == 0 && event_testing_write(db, left_work, &left) == 0) {
        printf("%lld\n", (long long)left);
        return 0;
    }
    return 2;
}
