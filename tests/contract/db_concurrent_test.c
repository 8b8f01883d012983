/* SPDX-License-Identifier: Apache-2.0 */

/* The database port's contract between threads, and across the death of a process. */

#include "base/clock.h"
#include "base/wait.h"
#include "db_testing.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WRITERS     8
#define READERS     24
#define INCREMENTS  25
#define SKEW_ROUNDS 20
#define TRIES_MAX   200
/* How long a transaction waits for another that the engine may not let run beside it. */
#define OVERLAP_MS 300

static const char *url;

static int open_db(void **state) {
    Db *db = NULL;

    if (db_engine_open(url, &db) != 0) {
        return -1;
    }
    *state = db;
    return 0;
}

static int close_db(void **state) {
    *state = db_free(*state);
    return 0;
}

static int empty_tables(void **state) {
    db_testing_tables(*state);
    return 0;
}

/* As a service would: what was in conflict is tried again, a bounded number of times. */
static int write_until_done(Db *db, DbWork *work, void *userdata) {
    int r = -EBUSY;

    for (unsigned i = 0; i < TRIES_MAX && r == -EBUSY; i++) {
        r = db_write(db, work, userdata, NULL);
    }
    return r;
}

static void start(pthread_t *thread, void *(*run)(void *), void *userdata) {
    assert_int_equal(pthread_create(thread, NULL, run, userdata), 0);
}

/* Reads a part's amount in a transaction; what it is goes to *ret_amount. */
static int get_amount(DbTx *tx, int64_t item_id, int64_t *ret_amount) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue *row = NULL;
    int r = db_query_one(tx, &statements[PART_GET], PARAMS(DB_INT(item_id)), arena, &row);

    if (r == 0) {
        *ret_amount = row[0].integer;
    }
    return r;
}

static int set_amount(DbTx *tx, int64_t item_id, int64_t amount) {
    return db_exec(tx, &statements[PART_SET], PARAMS(DB_INT(amount), DB_INT(item_id)), NULL);
}

static int increment(DbTx *tx, void *userdata) {
    int64_t amount = 0;
    int r = get_amount(tx, 1, &amount);

    (void)userdata;
    return r == 0 ? set_amount(tx, 1, amount + 1) : r;
}

typedef struct Adder {
    Db *db;
    unsigned done;
    int r;
} Adder;

static void *add_many(void *userdata) {
    Adder *adder = userdata;

    for (unsigned i = 0; i < INCREMENTS && adder->r == 0; i++) {
        adder->r = write_until_done(adder->db, increment, NULL);
        adder->done += adder->r == 0;
    }
    return NULL;
}

static void no_increment_is_lost(void **state) {
    pthread_t threads[WRITERS];
    Adder adders[WRITERS];

    add_part(*state, 1, 0);
    for (size_t i = 0; i < WRITERS; i++) {
        adders[i] = (Adder){.db = *state};
        start(&threads[i], add_many, &adders[i]);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        assert_int_equal(adders[i].r, 0);
        assert_int_equal(adders[i].done, INCREMENTS);
    }
    assert_int_equal(part_amount(*state, 1), WRITERS * INCREMENTS);
}

/* Two parties that each try to get to the same point of a transaction. */
typedef struct Meeting {
    pthread_mutex_t lock;
    pthread_cond_t came;
    unsigned n_there;
} Meeting;
#define MEETING_INIT                                                                               \
    { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 }

/* Comes, and waits until `n` have come or for OVERLAP_MS; whether they have. */
static bool meet(Meeting *meeting, unsigned n) {
    bool met;
    uint64_t until_ms = clock_mono_ms() + OVERLAP_MS;

    pthread_mutex_lock(&meeting->lock);
    meeting->n_there++;
    pthread_cond_broadcast(&meeting->came);
    while (meeting->n_there < n && wait_until(&meeting->came, &meeting->lock, until_ms)) {
    }
    met = meeting->n_there >= n;
    pthread_mutex_unlock(&meeting->lock);
    return met;
}

/* Somebody who may take 1 from his own account as long as both together keep at least 1. */
typedef struct Withdrawal {
    Db *db;
    int64_t own;
    Meeting *meeting;
    bool met;
    int r;
} Withdrawal;

enum {
    TOO_LITTLE = 77,
};

static int withdraw(DbTx *tx, void *userdata) {
    Withdrawal *self = userdata;
    int64_t one = 0, two = 0;
    int r = get_amount(tx, 1, &one);

    if (r == 0) {
        r = get_amount(tx, 2, &two);
    }
    if (r != 0) {
        return r;
    }
    if (!self->met) { /* only once, whatever comes of it */
        self->met = true;
        meet(self->meeting, 2);
    }
    return one + two < 2 ? TOO_LITTLE : set_amount(tx, self->own, 0);
}

static void *withdraw_once(void *userdata) {
    Withdrawal *self = userdata;

    self->r = write_until_done(self->db, withdraw, self);
    return NULL;
}

/* Neither touches what the other writes, yet the two may not both go through. */
static void write_skew_is_refused(void **state) {
    add_part(*state, 1, 1);
    add_part(*state, 2, 1);
    for (unsigned round = 0; round < SKEW_ROUNDS; round++) {
        Meeting meeting = MEETING_INIT;
        Withdrawal both[2];
        pthread_t threads[2];
        Steps refill = STEPS(NULL, {&statements[PART_SET], PARAMS(DB_INT(1), DB_INT(1))},
                             {&statements[PART_SET], PARAMS(DB_INT(1), DB_INT(2))});
        assert_int_equal(write_until_done(*state, run_steps, &refill), 0);
        for (size_t i = 0; i < 2; i++) {
            /* The later rounds without a wait, as they come. */
            both[i] = (Withdrawal){
                .db = *state, .own = (int64_t)i + 1, .meeting = &meeting, .met = round > 1};
            start(&threads[i], withdraw_once, &both[i]);
        }
        for (size_t i = 0; i < 2; i++) {
            pthread_join(threads[i], NULL);
        }
        assert_int_equal(both[0].r + both[1].r, TOO_LITTLE);
        assert_true(both[0].r == 0 || both[1].r == 0);
        assert_int_equal(part_amount(*state, 1) + part_amount(*state, 2), 1);
    }
}

/* A transaction that reads, lets another change what it read if the engine can, and writes. */
typedef struct Slow {
    Db *db;
    Meeting began, other_done;
    bool overlapped;
    unsigned runs;
    int r;
} Slow;

static int add_10_slowly(DbTx *tx, void *userdata) {
    Slow *slow = userdata;
    int64_t amount = 0;
    int r = get_amount(tx, 1, &amount);

    if (r != 0) {
        return r;
    }
    if (slow->runs++ == 0) {
        meet(&slow->began, 1);
        slow->overlapped = meet(&slow->other_done, 2);
    }
    return set_amount(tx, 1, amount + 10);
}

static void *run_slow(void *userdata) {
    Slow *slow = userdata;

    slow->r = write_until_done(slow->db, add_10_slowly, slow);
    return NULL;
}

static void what_was_in_conflict_is_run_again(void **state) {
    Slow slow = {.db = *state, .began = MEETING_INIT, .other_done = MEETING_INIT};
    pthread_t thread;

    add_part(*state, 1, 0);
    start(&thread, run_slow, &slow);
    pthread_mutex_lock(&slow.began.lock);
    while (slow.began.n_there == 0) {
        pthread_cond_wait(&slow.began.came, &slow.began.lock);
    }
    pthread_mutex_unlock(&slow.began.lock);
    assert_int_equal(write_until_done(*state, increment, NULL), 0);
    meet(&slow.other_done, 1);
    pthread_join(thread, NULL);
    assert_int_equal(slow.r, 0);
    assert_true(slow.overlapped ? slow.runs >= 2 : slow.runs == 1);
    assert_int_equal(part_amount(*state, 1), 11);
}

/* Moves from one part to another: their sum never changes. */
static int move_one(DbTx *tx, void *userdata) {
    int64_t from = 0, to = 0;
    int r = get_amount(tx, 1, &from);

    (void)userdata;
    r = r == 0 ? get_amount(tx, 2, &to) : r;
    r = r == 0 ? set_amount(tx, 1, from - 1) : r;
    return r == 0 ? set_amount(tx, 2, to + 1) : r;
}

typedef struct Reader {
    Db *db;
    atomic_bool *stop;
    Arena *arena;
    unsigned reads;
    int r;
} Reader;

enum {
    TORN = 78,
};

/* The sum, then part by part, in one transaction. */
static int read_consistently(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue *row = NULL;
    int64_t one = 0, two = 0;
    int r = db_query_one(tx, &statements[PART_SUM], NULL, arena, &row);

    (void)userdata;
    r = r == 0 ? get_amount(tx, 1, &one) : r;
    r = r == 0 ? get_amount(tx, 2, &two) : r;
    if (r != 0) {
        return r;
    }
    return row[0].integer == 1000 && one + two == 1000 ? 0 : TORN;
}

static void *read_many(void *userdata) {
    Reader *reader = userdata;

    while (reader->r == 0 && !atomic_load(reader->stop)) {
        reader->r = db_read(reader->db, NULL, read_consistently, NULL);
        reader->reads += reader->r == 0;
        reader->r = reader->r == -EBUSY ? 0 : reader->r;
    }
    return NULL;
}

static void many_read_whole_states_while_one_writes(void **state) {
    pthread_t threads[READERS];
    Reader readers[READERS];
    atomic_bool stop = false;
    unsigned moves = 0;

    add_part(*state, 1, 1000);
    add_part(*state, 2, 0);
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = (Reader){.db = *state, .stop = &stop};
        start(&threads[i], read_many, &readers[i]);
    }
    while (moves < 200 && write_until_done(*state, move_one, NULL) == 0) {
        moves++;
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(readers[i].r, 0);
    }
    assert_int_equal(moves, 200);
    assert_int_equal(part_amount(*state, 2), 200);
}

static void *add_item_1(void *userdata) {
    Steps steps = STEPS(NULL, {&statements[ITEM_ADD], PARAMS(DB_INT(1), DB_NULL, DB_NULL)});

    return (void *)(intptr_t)db_write(userdata, run_steps, &steps, NULL);
}

typedef struct Snapshot {
    Db *db;
    int64_t before, after;
    int write_r;
} Snapshot;

/* Counts, has another thread add an item for good, and counts again. */
static int count_around_a_write(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Snapshot *snapshot = userdata;
    const DbValue *row = NULL;
    pthread_t thread;
    void *result = NULL;
    int r = db_query_one(tx, &statements[ITEM_COUNT], NULL, arena, &row);

    if (r != 0) {
        return r;
    }
    snapshot->before = row[0].integer;
    if (pthread_create(&thread, NULL, add_item_1, snapshot->db) != 0) {
        return -EAGAIN;
    }
    pthread_join(thread, &result);
    snapshot->write_r = (int)(intptr_t)result;
    r = db_query_one(tx, &statements[ITEM_COUNT], NULL, arena, &row);
    if (r == 0) {
        snapshot->after = row[0].integer;
    }
    return r;
}

static void a_reader_neither_hinders_a_writer_nor_sees_it(void **state) {
    Snapshot snapshot = {.db = *state};

    assert_int_equal(db_read(*state, NULL, count_around_a_write, &snapshot), 0);
    assert_int_equal(snapshot.write_r, 0);
    assert_int_equal(snapshot.before, 0);
    assert_int_equal(snapshot.after, 0);
    assert_int_equal(count_items(*state), 1);
}

/* What the other process is to do before it is killed. */
static const char child_commits[] = "--child-commits", child_does_not[] = "--child-does-not";

static int add_and_die(DbTx *tx, void *userdata) {
    int r = db_exec(tx, &statements[ITEM_ADD], PARAMS(DB_INT(2), DB_NULL, DB_NULL), NULL);

    (void)userdata;
    if (r == 0) {
        kill(getpid(), SIGKILL);
    }
    return r;
}

static int run_child(const char *what) {
    Steps steps = STEPS(NULL, {&statements[ITEM_ADD], PARAMS(DB_INT(1), DB_NULL, DB_NULL)});
    Db *db = NULL;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (db_engine_open(url, &db) != 0) {
        return 3;
    }
    if (strcmp(what, child_commits) == 0 && db_write(db, run_steps, &steps, NULL) == 0) {
        kill(getpid(), SIGKILL);
    }
    db_write(db, add_and_die, NULL, NULL);
    return 4;
}

static void assert_child_is_killed(const char *what) {
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "db_concurrent_test", url, what, NULL);
        _exit(5);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void what_was_committed_outlives_the_process(void **state) {
    assert_child_is_killed(child_commits);
    assert_int_equal(count_items(*state), 1);
    assert_int_equal((intptr_t)add_item_1(*state), DB_E_EXISTS);
}

static void what_was_not_committed_leaves_nothing(void **state) {
    Steps steps = STEPS(NULL, {&statements[ITEM_ADD], PARAMS(DB_INT(2), DB_NULL, DB_NULL)});

    assert_child_is_killed(child_does_not);
    assert_int_equal(count_items(*state), 0);
    assert_int_equal(write_until_done(*state, run_steps, &steps), 0);
    assert_int_equal(count_items(*state), 1);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_increment_is_lost, empty_tables),
        cmocka_unit_test_setup(write_skew_is_refused, empty_tables),
        cmocka_unit_test_setup(what_was_in_conflict_is_run_again, empty_tables),
        cmocka_unit_test_setup(many_read_whole_states_while_one_writes, empty_tables),
        cmocka_unit_test_setup(a_reader_neither_hinders_a_writer_nor_sees_it, empty_tables),
        cmocka_unit_test_setup(what_was_committed_outlives_the_process, empty_tables),
        cmocka_unit_test_setup(what_was_not_committed_leaves_nothing, empty_tables),
    };

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    url = argv[1];
    if (argc == 3) {
        return run_child(argv[2]);
    }
    return cmocka_run_group_tests(tests, open_db, close_db);
}
