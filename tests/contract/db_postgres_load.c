/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Users who write and read their own writes, for the tests that kill or pause servers under them:
 *   db_postgres_load ACKNOWLEDGED THREADS URL [REPLICA_URL ...]
 * Each thread is a user and writes 1, 2, 3 ... When a write is acknowledged it goes to the file, as
 * "user number", and what the user then reads with its token must show it. Ends with its standard
 * input, and says in one line of JSON what happened. Any error but the three that may be tried
 * again ends it with status 1.
 */

#include "adapters/db/postgres/postgres.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64

static const DbStatement add = {"load_add", "INSERT INTO load_note (user_id, number) VALUES (?, ?)",
                                2, 0};
static const DbStatement last = {"load_last",
                                 "SELECT number FROM load_note WHERE user_id = ?"
                                 " ORDER BY number DESC LIMIT 1",
                                 1, 1};

typedef struct Load {
    Db *db;
    int acknowledged;
    atomic_bool stop;
    _Atomic uint64_t n_acknowledged, n_unknown, n_refused, n_reads, n_unread, n_stale;
    _Atomic uint64_t last_ms, longest_gap_ms;
} Load;

typedef struct User {
    Load *load;
    int64_t id, number, seen;
} User;

static int write_number(DbTx *tx, void *userdata) {
    const User *user = userdata;

    return db_exec(tx, &add, (const DbValue[]){DB_INT(user->id), DB_INT(user->number)}, NULL);
}

static int read_last(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    User *user = userdata;
    const DbValue *row;
    int r = db_query_one(tx, &last, &DB_INT(user->id), arena, &row);

    user->seen = r == 0 ? row[0].integer : 0;
    return r == DB_E_NONE ? 0 : r;
}

static bool may_be_tried_again(int r) {
    return r == -EBUSY || r == -ENOTCONN || r == -EREMOTEIO;
}

static void acknowledge(Load *load, const User *user) {
    uint64_t now = clock_mono_ms(), gap = now - atomic_exchange(&load->last_ms, now);
    uint64_t longest = load->longest_gap_ms;
    char line[64];
    int len = snprintf(line, sizeof(line), "%" PRId64 " %" PRId64 "\n", user->id, user->number);

    while (gap < UINT64_MAX / 2 && gap > longest &&
           !atomic_compare_exchange_weak(&load->longest_gap_ms, &longest, gap)) {
    }
    load->n_acknowledged++;
    if (write(load->acknowledged, line, (size_t)len) != len) {
        _exit(1);
    }
}

/* What was acknowledged must be seen, with its token and without. */
static void look_back(Load *load, User *user, const DbToken *token) {
    for (int i = 0; i < 2; i++) {
        int r = db_read(load->db, i == 0 ? token : NULL, read_last, user);
        load->n_reads++;
        if (r == 0) {
            load->n_stale += user->seen < user->number;
        } else if (may_be_tried_again(r)) {
            load->n_unread++;
        } else {
            fprintf(stderr, "reading: %s\n", strerror(-r));
            _exit(1);
        }
    }
}

static void *run_user(void *userdata) {
    User *user = userdata;
    Load *load = user->load;

    while (!load->stop) {
        DbToken token;
        int r = db_write(load->db, write_number, user, &token);

        if (r == 0) {
            acknowledge(load, user);
            look_back(load, user, &token);
            user->number++;
        } else if (r == -EREMOTEIO) { /* it may be there: never the same again */
            load->n_unknown++;
            user->number++;
        } else if (may_be_tried_again(r)) {
            const struct timespec pause = {.tv_nsec = 20000000};
            load->n_refused++;
            nanosleep(&pause, NULL); /* as a client told 503 would */
        } else {
            fprintf(stderr, "writing: %s\n", r > 0 ? "a condition" : strerror(-r));
            _exit(1);
        }
    }
    return NULL;
}

static void report(const Load *load) {
    DbPostgresStats stats;

    db_postgres_stats(load->db, &stats);
    printf("{\"acknowledged\": %" PRIu64 ", \"unknown\": %" PRIu64 ", \"refused\": %" PRIu64
           ", \"reads\": %" PRIu64 ", \"unread\": %" PRIu64 ", \"stale\": %" PRIu64
           ", \"longest_gap_ms\": %" PRIu64 ", \"primary\": %" PRIu64 ", \"replica\": %" PRIu64
           ", \"behind\": %" PRIu64 ", \"conflicts\": %" PRIu64 ", \"lost\": %" PRIu64
           ", \"connects\": %" PRIu64 ", \"replica_down\": %" PRIu64 "}\n",
           load->n_acknowledged, load->n_unknown, load->n_refused, load->n_reads, load->n_unread,
           load->n_stale, load->longest_gap_ms, stats.n_primary, stats.n_replica, stats.n_behind,
           stats.n_conflicts, stats.n_lost, stats.n_connects, stats.n_replica_down);
}

int main(int argc, char **argv) {
    static Load load;
    static User users[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    uint64_t n_threads = 0;
    char byte;

    if (argc < 4 || str_to_u64(str_from(argv[2]), &n_threads) < 0 || n_threads > THREADS_MAX) {
        fprintf(stderr, "usage: %s ACKNOWLEDGED THREADS URL [REPLICA_URL ...]\n", argv[0]);
        return 2;
    }
    load.acknowledged = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    load.last_ms = clock_mono_ms();
    if (load.acknowledged < 0 ||
        db_postgres_new(&(DbPostgresOptions){.url = argv[3],
                                             .replica_urls = (const char *const *)&argv[4],
                                             .n_replicas = (size_t)argc - 4,
                                             .pool_size = (unsigned)n_threads,
                                             .statement_timeout_ms = 3000},
                        &load.db) < 0) {
        return 2;
    }
    for (size_t i = 0; i < n_threads; i++) {
        users[i] = (User){.load = &load, .id = (int64_t)i, .number = 1};
        pthread_create(&threads[i], NULL, run_user, &users[i]);
    }
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    load.stop = true;
    for (size_t i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
    }
    report(&load);
    db_free(load.db);
    return 0;
}
