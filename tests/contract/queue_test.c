/* SPDX-License-Identifier: Apache-2.0 */

/* What core/ports/queue.h promises, on the queue of the URL in argv[1]. */

#include "base/clock.h"
#include "contract/queue_testing.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static QueueEngine engine;
static Queue *queue;

static QueueJob paid(const char *kind, unsigned user, const char *payload) {
    return queue_testing_job(kind, QUEUE_PAID_INTERACTIVE, user, payload);
}

static void assert_none(const char *kind, uint32_t wait_ms) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueLease lease;

    assert_int_equal(queue_testing_take(queue, kind, LONG_MS, wait_ms, arena, &lease),
                     QUEUE_E_NONE);
}

static void what_is_put_is_taken_once_and_done(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob job = queue_testing_job("basic", QUEUE_FREE_INTERACTIVE, 7, "");
    QueueLease lease;

    (void)state;
    job.payload = (Str){"a\0\xff", 3};
    queue_testing_put(queue, &job);
    lease = queue_testing_expect(queue, "basic", LONG_MS, arena);
    assert_true(uuid_equal(&lease.job.id, &job.id));
    assert_true(uuid_equal(&lease.job.user_id, &job.user_id));
    assert_int_equal(lease.job.lane, QUEUE_FREE_INTERACTIVE);
    assert_true(str_equal(lease.job.payload, job.payload));
    assert_int_equal(lease.attempt, 1);
    assert_none("basic", 0);
    assert_int_equal(queue_done(queue, &lease), 0);
    assert_int_equal(queue_done(queue, &lease), QUEUE_E_LOST);
    assert_none("basic", NOTHING_MS);
}

static void payloads_of_all_sizes(void **state) {
    static const size_t sizes[] = {0, 1, 2048, 2049, 100000, QUEUE_PAYLOAD_LEN_MAX};
    _cleanup_(freep) char *bytes = malloc(QUEUE_PAYLOAD_LEN_MAX);

    (void)state;
    for (size_t i = 0; i < QUEUE_PAYLOAD_LEN_MAX; i++) {
        bytes[i] = (char)(i * 31 >> 3);
    }
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        QueueJob job = paid("sizes", 1, "");
        QueueLease lease;
        job.payload = (Str){bytes, sizes[i]};
        queue_testing_put(queue, &job);
        lease = queue_testing_expect(queue, "sizes", LONG_MS, arena);
        assert_true(str_equal(lease.job.payload, job.payload));
        assert_int_equal(queue_done(queue, &lease), 0);
    }
}

static void what_is_beyond_the_bounds_is_refused(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob job = paid("bounds", 1, "");
    const char *kinds[] = {"bounds", "Bounds"};
    QueueTake take = {.kinds = kinds, .n_kinds = 1, .worker = "", .visibility_ms = 1};
    QueueLease lease;

    (void)state;
    assert_int_equal(queue_put(queue, &job, 0), -EINVAL);
    job.payload.len = QUEUE_PAYLOAD_LEN_MAX + 1;
    assert_int_equal(queue_put(queue, &job, 1), -EINVAL);
    job = paid("no-kind", 1, "");
    assert_int_equal(queue_put(queue, &job, 1), -EINVAL);
    job = paid("", 1, "");
    assert_int_equal(queue_put(queue, &job, 1), -EINVAL);
    job = queue_testing_job("bounds", _QUEUE_LANE_MAX, 1, "");
    assert_int_equal(queue_put(queue, &job, 1), -EINVAL);
    take.n_kinds = 2;
    assert_int_equal(queue_take(queue, &take, arena, &lease), -EINVAL);
    take.n_kinds = 1;
    take.visibility_ms = 0;
    assert_int_equal(queue_take(queue, &take, arena, &lease), -EINVAL);
    take.visibility_ms = QUEUE_VISIBILITY_MS_MAX + 1;
    assert_int_equal(queue_take(queue, &take, arena, &lease), -EINVAL);
    assert_none("bounds", 0);
}

static void putting_again_changes_nothing(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob job = paid("again", 1, "first"), other = paid("again", 1, "second");
    QueueLease lease;

    (void)state;
    queue_testing_put(queue, &job);
    other.id = job.id;
    assert_int_equal(queue_put(queue, (QueueJob[]){job, other}, 2), 0);
    lease = queue_testing_expect(queue, "again", LONG_MS, arena);
    assert_true(str_equal(lease.job.payload, str_lit("first")));
    queue_testing_put(queue, &job);
    assert_none("again", 0);
    assert_int_equal(queue_done(queue, &lease), 0);
    assert_none("again", 0);
}

/* Strictly where the adapter can; where a broker sends ahead, most of them, unless jobs take no
 * time at all. */
static void paid_before_free_and_interactive_before_batch(void **state) {
    enum {
        EACH = 50
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    unsigned late = 0, unpaid = 0, position[_QUEUE_LANE_MAX] = {0};

    (void)state;
    for (unsigned i = 0; i < EACH * _QUEUE_LANE_MAX; i++) {
        char text[] = {(char)('0' + 3 - i % _QUEUE_LANE_MAX), '\0'};
        QueueJob job = queue_testing_job("lanes", (QueueLane)(3 - i % _QUEUE_LANE_MAX), i, text);
        queue_testing_put(queue, &job);
    }
    for (unsigned i = 0; i < EACH * _QUEUE_LANE_MAX; i++) {
        unsigned lane = (unsigned)(queue_testing_do(queue, "lanes", arena)[0] - '0');
        if (!engine.is_exact) {
            /* As long as a job takes; shorter than that a busy broker does not send the next. */
            assert_none("lanes_work", 12);
        }
        position[lane] += i;
        late += lane != i / EACH;
        unpaid += lane >= QUEUE_FREE_INTERACTIVE && i < 2 * EACH;
    }
    for (unsigned lane = 1; lane < _QUEUE_LANE_MAX; lane++) {
        assert_true(position[lane - 1] < position[lane]);
    }
    assert_true(late == 0 || !engine.is_exact);
    assert_in_range(unpaid, 0, EACH / 5);
}

static void many_jobs_of_one_do_not_hold_up_one_of_another(void **state) {
    enum {
        MANY = 1000
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    unsigned before = 0;
    QueueJob one;

    (void)state;
    for (unsigned i = 0; i < MANY; i += 50) {
        QueueJob jobs[50];
        for (unsigned k = 0; k < ARRAY_LEN(jobs); k++) {
            jobs[k] = queue_testing_job("fair", QUEUE_FREE_BATCH, 1, "many");
        }
        assert_int_equal(queue_put(queue, jobs, ARRAY_LEN(jobs)), 0);
    }
    one = queue_testing_job("fair", QUEUE_FREE_BATCH, 2, "one");
    queue_testing_put(queue, &one);
    while (strcmp(queue_testing_do(queue, "fair", arena), "one") != 0) {
        before++;
    }
    assert_in_range(before, 0, engine.is_exact ? 2 : MANY / 2);
    for (unsigned i = before; i < MANY; i++) {
        assert_string_equal(queue_testing_do(queue, "fair", arena), "many");
    }
    assert_none("fair", 0);
}

static void users_take_turns(void **state) {
    static const unsigned counts[] = {30, 10, 20};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    unsigned seen[ARRAY_LEN(counts)] = {0};

    (void)state;
    for (unsigned user = 0; user < ARRAY_LEN(counts); user++) {
        for (unsigned i = 0; i < counts[user]; i++) {
            char text[] = {(char)('0' + user), '\0'};
            QueueJob job = paid("turns", 10 + user, text);
            queue_testing_put(queue, &job);
        }
    }
    for (unsigned i = 0; i < 30; i++) {
        seen[queue_testing_do(queue, "turns", arena)[0] - '0']++;
    }
    /* The first was alone when his first turn was given. */
    for (unsigned user = 0; user < ARRAY_LEN(counts); user++) {
        assert_in_range(seen[user], 9, 11);
    }
    for (unsigned i = 0; i < 30; i++) {
        queue_testing_do(queue, "turns", arena);
    }
}

static void a_lease_that_lapses_is_lost(void **state) {
    enum {
        SHORT_MS = 300
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob job = paid("lapse", 1, "x");
    uint64_t start;
    QueueLease first, second;

    (void)state;
    queue_testing_put(queue, &job);
    first = queue_testing_expect(queue, "lapse", SHORT_MS, arena);
    start = clock_mono_ms();
    second = queue_testing_expect(queue, "lapse", LONG_MS, arena);
    /* By the wall clock, which may tick a little otherwise. */
    assert_in_range(clock_mono_ms() - start, SHORT_MS - 20, PATIENCE_MS);
    assert_true(uuid_equal(&second.job.id, &job.id));
    assert_int_equal(second.attempt, 2);
    assert_int_equal(queue_extend(queue, &first, LONG_MS), QUEUE_E_LOST);
    assert_int_equal(queue_fail(queue, &first, "late", 0), QUEUE_E_LOST);
    assert_int_equal(queue_done(queue, &first), QUEUE_E_LOST);
    assert_int_equal(queue_done(queue, &second), 0);
    assert_none("lapse", NOTHING_MS);
}

static void a_lease_can_be_extended(void **state) {
    enum {
        SHORT_MS = 300
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob job = paid("extend", 1, "x");
    QueueLease lease;

    (void)state;
    queue_testing_put(queue, &job);
    lease = queue_testing_expect(queue, "extend", SHORT_MS, arena);
    assert_int_equal(queue_extend(queue, &lease, LONG_MS), 0);
    assert_none("extend", 2 * SHORT_MS);
    assert_int_equal(queue_done(queue, &lease), 0);
}

static void what_failed_comes_again_after_its_delay(void **state) {
    enum {
        DELAY_MS = 500
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob job = paid("retry", 1, "again");
    uint64_t start;
    QueueLease lease;

    (void)state;
    queue_testing_put(queue, &job);
    lease = queue_testing_expect(queue, "retry", LONG_MS, arena);
    start = clock_mono_ms();
    assert_int_equal(queue_fail(queue, &lease, "not yet", DELAY_MS), 0);
    assert_int_equal(queue_done(queue, &lease), QUEUE_E_LOST);
    lease = queue_testing_expect(queue, "retry", LONG_MS, arena);
    assert_in_range(clock_mono_ms() - start, DELAY_MS - 20, PATIENCE_MS);
    assert_int_equal(lease.attempt, 2);
    assert_true(uuid_equal(&lease.job.id, &job.id));
    assert_true(str_equal(lease.job.payload, str_lit("again")));
    assert_int_equal(queue_done(queue, &lease), 0);
}

static void not_before_its_time(void **state) {
    enum {
        DELAY_MS = 700
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob later = paid("later", 1, "later"), now = paid("later", 2, "now");

    (void)state;
    later.not_before_us = clock_unix_us() + DELAY_MS * 1000LL;
    queue_testing_put(queue, &later);
    queue_testing_put(queue, &now);
    assert_string_equal(queue_testing_do(queue, "later", arena), "now");
    assert_string_equal(queue_testing_do(queue, "later", arena), "later");
    assert_true(clock_unix_us() >= later.not_before_us);
}

static void poison_ends_in_the_dead_letter_and_blocks_nobody(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob poison = queue_testing_job("poison", QUEUE_PAID_BATCH, 1, "poison");
    QueueJob good = paid("poison", 1, "good");
    QueueDead dead;
    QueueLease lease;

    (void)state;
    queue_testing_put(queue, &poison);
    for (unsigned i = 1; i <= ATTEMPTS_MAX; i++) {
        lease = queue_testing_expect(queue, "poison", LONG_MS, arena);
        assert_int_equal(lease.attempt, i);
        assert_true(uuid_equal(&lease.job.id, &poison.id));
        queue_testing_put(queue, &good);
        assert_string_equal(queue_testing_do(queue, "poison", arena), "good");
        good.id = uuid_new();
        assert_int_equal(queue_fail(queue, &lease, "the file is broken", 0), 0);
    }
    assert_none("poison", NOTHING_MS);
    assert_int_equal(queue_testing_dead(queue, "poison", arena, &dead), 1);
    assert_true(uuid_equal(&dead.id, &poison.id));
    assert_true(uuid_equal(&dead.user_id, &poison.user_id));
    assert_string_equal(dead.reason, "the file is broken");
    assert_int_equal(dead.lane, QUEUE_PAID_BATCH);
    assert_int_equal(dead.attempts, ATTEMPTS_MAX);
    assert_in_range(clock_unix_us() - dead.died_us, 0, PATIENCE_MS * 1000LL);

    assert_int_equal(queue_dead_requeue(queue, &poison.user_id, &good.id), QUEUE_E_NONE);
    assert_int_equal(queue_dead_requeue(queue, &poison.user_id, &poison.id), 0);
    assert_int_equal(queue_testing_dead(queue, "poison", arena, &dead), 0);
    lease = queue_testing_expect(queue, "poison", LONG_MS, arena);
    assert_int_equal(lease.attempt, 1);
    assert_int_equal(lease.job.lane, QUEUE_PAID_BATCH);
    assert_true(str_equal(lease.job.payload, str_lit("poison")));
    assert_int_equal(queue_fail(queue, &lease, "for good", QUEUE_RETRY_NEVER), 0);
    assert_int_equal(queue_testing_dead(queue, "poison", arena, &dead), 1);
    assert_string_equal(dead.reason, "for good");
    assert_int_equal(queue_dead_remove(queue, &poison.user_id, &poison.id), 0);
    assert_int_equal(queue_dead_remove(queue, &poison.user_id, &poison.id), QUEUE_E_NONE);
    assert_int_equal(queue_testing_dead(queue, "poison", arena, &dead), 0);
    assert_none("poison", 0);
}

static void what_erased_users_leave_goes(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob jobs[] = {paid("erased", 77, "gone"), paid("erased", 78, "stays")};
    uint64_t n;
    QueueDead dead;

    (void)state;
    for (int i = 0; i < 2; i++) {
        queue_testing_put(queue, &jobs[i]);
        QueueLease lease = queue_testing_expect(queue, "erased", LONG_MS, arena);
        assert_int_equal(queue_fail(queue, &lease, "for good", QUEUE_RETRY_NEVER), 0);
    }
    assert_int_equal(queue_erase_user(queue, &jobs[0].user_id, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(queue_testing_dead(queue, "erased", arena, &dead), 1);
    assert_int_equal(queue_dead_remove(queue, &jobs[1].user_id, &jobs[1].id), 0);
}

static void what_always_lapses_dies_too(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob job = paid("sleepy", 1, "x");
    QueueDead dead;

    (void)state;
    queue_testing_put(queue, &job);
    for (unsigned i = 1; i <= ATTEMPTS_MAX; i++) {
        assert_int_equal(queue_testing_expect(queue, "sleepy", 50, arena).attempt, i);
    }
    assert_none("sleepy", NOTHING_MS);
    assert_int_equal(queue_testing_dead(queue, "sleepy", arena, &dead), 1);
    assert_non_null(strstr(dead.reason, "the test did not finish it in time"));
    assert_int_equal(queue_dead_remove(queue, &job.user_id, &job.id), 0);
}

static void only_the_kinds_that_are_asked_for(void **state) {
    const char *both[] = {"kind_a", "kind_b"};
    QueueTake take = {.kinds = both,
                      .n_kinds = 2,
                      .worker = "the test",
                      .visibility_ms = LONG_MS,
                      .wait_ms = PATIENCE_MS};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob a = queue_testing_job("kind_a", QUEUE_FREE_BATCH, 1, "a");
    QueueJob b = queue_testing_job("kind_b", QUEUE_FREE_INTERACTIVE, 1, "b");
    bool seen[2] = {false, false};
    QueueLease lease;

    (void)state;
    queue_testing_put(queue, &a);
    queue_testing_put(queue, &b);
    assert_none("kind_c", 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(queue_take(queue, &take, arena, &lease), 0);
        if (engine.is_exact) {
            assert_string_equal(lease.job.kind, both[1 - i]);
        }
        seen[lease.job.kind[5] - 'a'] = true;
        assert_int_equal(queue_done(queue, &lease), 0);
    }
    assert_true(seen[0] && seen[1]);
}

static void *put_one(void *userdata) {
    assert_int_equal(queue_put(queue, userdata, 1), 0);
    return NULL;
}

static void whoever_waits_is_woken(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob job = paid("woken", 1, "x");
    uint64_t start = clock_mono_ms();
    pthread_t putter;

    (void)state;
    assert_none("woken", 0);
    pthread_create(&putter, NULL, put_one, &job);
    assert_string_equal(queue_testing_do(queue, "woken", arena), "x");
    assert_in_range(clock_mono_ms() - start, 0, PATIENCE_MS / 4);
    pthread_join(putter, NULL);
}

enum {
    CROWD = 8,
    CROWD_JOBS = 60
};

typedef struct Crowd {
    _Atomic unsigned n_taken;
    _Atomic unsigned char taken[CROWD * CROWD_JOBS];
} Crowd;

static void *put_some(void *userdata) {
    unsigned thread = *(unsigned *)userdata;

    for (unsigned i = 0; i < CROWD_JOBS; i++) {
        char text[16];
        QueueJob job;
        snprintf(text, sizeof(text), "%u", thread * CROWD_JOBS + i);
        job = queue_testing_job("crowd", (QueueLane)(i % _QUEUE_LANE_MAX), i % 5, text);
        assert_int_equal(queue_put(queue, &job, 1), 0);
    }
    return NULL;
}

static void *take_some(void *userdata) {
    Crowd *crowd = userdata;

    while (atomic_load(&crowd->n_taken) < CROWD * CROWD_JOBS) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        QueueLease lease;
        uint64_t number;
        if (queue_testing_take(queue, "crowd", LONG_MS, 200, arena, &lease) == 0) {
            assert_int_equal(str_to_u64(lease.job.payload, &number), 0);
            atomic_fetch_add(&crowd->taken[number], 1);
            assert_int_equal(queue_done(queue, &lease), 0);
            atomic_fetch_add(&crowd->n_taken, 1);
        }
    }
    return NULL;
}

static void a_crowd_takes_each_job_once(void **state) {
    static Crowd crowd;
    pthread_t putters[CROWD], takers[CROWD];
    unsigned numbers[CROWD];

    (void)state;
    for (unsigned i = 0; i < CROWD; i++) {
        numbers[i] = i;
        pthread_create(&putters[i], NULL, put_some, &numbers[i]);
        pthread_create(&takers[i], NULL, take_some, &crowd);
    }
    for (unsigned i = 0; i < CROWD; i++) {
        pthread_join(putters[i], NULL);
        pthread_join(takers[i], NULL);
    }
    for (unsigned i = 0; i < ARRAY_LEN(crowd.taken); i++) {
        assert_int_equal(crowd.taken[i], 1);
    }
    assert_none("crowd", 0);
}

/* Whoever took a kind once does not keep it from those who do now. */
static void what_nobody_takes_here_others_get(void **state) {
    const QueuePolicy policy = {.attempts_max = ATTEMPTS_MAX};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueEngine other;

    assert_none("idle", 0);
    for (unsigned i = 0; i < 5; i++) {
        QueueJob job = paid("idle", i, "x");
        queue_testing_put(queue, &job);
    }
    assert_int_equal(queue_engine_open(*state, &policy, NULL, &other), 0);
    for (unsigned i = 0; i < 5; i++) {
        assert_string_equal(queue_testing_do(other.queue, "idle", arena), "x");
    }
    queue_engine_close(&other);
    assert_none("idle", NOTHING_MS);
}

/* With a queue of its own: its aging is short, and it is stopped in the end. */
static void none_waits_for_ever(void **state) {
    const QueuePolicy policy = {.attempts_max = ATTEMPTS_MAX, .aging_ms = 150};
    const char *url = *state;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob old = queue_testing_job("aging", QUEUE_FREE_BATCH, 1, "old");
    QueueJob other = queue_testing_job("aging_clock", QUEUE_FREE_BATCH, 1, "");
    QueueEngine mine;
    QueueLease lease;
    unsigned before = 0;

    assert_int_equal(queue_engine_open(url, &policy, NULL, &mine), 0);
    queue_testing_put(mine.queue, &old);
    other.not_before_us = clock_unix_us() + 6LL * policy.aging_ms * 1000;
    queue_testing_put(mine.queue, &other);
    for (unsigned i = 0; i < 40; i++) {
        QueueJob job = paid("aging", 100 + i, "new");
        queue_testing_put(mine.queue, &job);
    }
    queue_testing_do(mine.queue, "aging_clock", arena);
    /* It was long enough for all lanes by now. */
    while (strcmp(queue_testing_do(mine.queue, "aging", arena), "old") != 0) {
        before++;
    }
    assert_in_range(before, 0, 39);
    for (unsigned i = before; i < 40; i++) {
        queue_testing_do(mine.queue, "aging", arena);
    }

    queue_stop(mine.queue);
    assert_int_equal(
        queue_testing_take(mine.queue, "aging", LONG_MS, 10 * PATIENCE_MS, arena, &lease),
        QUEUE_E_NONE);
    queue_engine_close(&mine);
}

/* Soon: a broker sends what it has counted. */
static void wait_for_counts(uint64_t ready, uint64_t leased, QueueStats *ret_stats) {
    uint64_t start = clock_mono_ms();

    do {
        assert_int_equal(queue_stats(queue, ret_stats), 0);
        assert_none("stats_wait", 20);
    } while ((ret_stats->ready != ready || ret_stats->leased != leased) &&
             clock_mono_ms() - start < PATIENCE_MS);
    assert_int_equal(ret_stats->ready, ready);
    assert_int_equal(ret_stats->leased, leased);
}

static void counts_what_is_there(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueStats before, after;
    QueueLease lease;

    (void)state;
    assert_none("stats", 0);
    assert_int_equal(queue_stats(queue, &before), 0);
    /* The third is left over, which a broker has no way to forget. */
    for (unsigned i = 0; i < (engine.is_exact ? 3 : 2); i++) {
        QueueJob job = paid("stats", i, "x");
        job.not_before_us = i == 2 ? clock_unix_us() + LONG_MS * 1000LL : 0;
        queue_testing_put(queue, &job);
    }
    lease = queue_testing_expect(queue, "stats", LONG_MS, arena);
    wait_for_counts(before.ready + 1, before.leased + 1, &after);
    assert_int_equal(after.dead, before.dead);
    if (engine.is_exact) {
        assert_int_equal(after.delayed, before.delayed + 1);
        assert_in_range(after.oldest_ms, 0, PATIENCE_MS);
    } else {
        assert_true(after.delayed == QUEUE_UNKNOWN && after.oldest_ms == QUEUE_UNKNOWN);
    }
    assert_int_equal(queue_fail(queue, &lease, "for the count", QUEUE_RETRY_NEVER), 0);
    queue_testing_do(queue, "stats", arena);
    wait_for_counts(before.ready, before.leased, &after);
    assert_int_equal(after.dead, before.dead + 1);
    assert_int_equal(queue_dead_remove(queue, &lease.job.user_id, &lease.job.id), 0);
}

int main(int argc, char **argv) {
    const QueuePolicy policy = {.attempts_max = ATTEMPTS_MAX};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_taken_once_and_done),
        cmocka_unit_test(payloads_of_all_sizes),
        cmocka_unit_test(what_is_beyond_the_bounds_is_refused),
        cmocka_unit_test(paid_before_free_and_interactive_before_batch),
        cmocka_unit_test(many_jobs_of_one_do_not_hold_up_one_of_another),
        cmocka_unit_test(a_lease_that_lapses_is_lost),
        cmocka_unit_test(a_lease_can_be_extended),
        cmocka_unit_test(what_failed_comes_again_after_its_delay),
        cmocka_unit_test(not_before_its_time),
        cmocka_unit_test(poison_ends_in_the_dead_letter_and_blocks_nobody),
        cmocka_unit_test(what_erased_users_leave_goes),
        cmocka_unit_test(what_always_lapses_dies_too),
        cmocka_unit_test(only_the_kinds_that_are_asked_for),
        cmocka_unit_test(whoever_waits_is_woken),
        cmocka_unit_test(a_crowd_takes_each_job_once),
        cmocka_unit_test(counts_what_is_there),
        cmocka_unit_test_prestate(what_nobody_takes_here_others_get, argc > 1 ? argv[1] : NULL),
        cmocka_unit_test_prestate(none_waits_for_ever, argc > 1 ? argv[1] : NULL),
    };
    const struct CMUnitTest exact_tests[] = {
        cmocka_unit_test(putting_again_changes_nothing),
        cmocka_unit_test(users_take_turns),
    };
    int failed;

    if (argc != 2 || queue_engine_open(argv[1], &policy, NULL, &engine) != 0) {
        fprintf(stderr, "usage: queue_contract URL\n");
        return 2;
    }
    queue = engine.queue;
    queue_engine_empty(&engine);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (engine.is_exact) {
        failed += cmocka_run_group_tests(exact_tests, NULL, NULL);
    }
    queue_engine_close(&engine);
    return failed;
}
