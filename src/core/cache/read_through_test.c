/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cache/read_through.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define THREADS 8
/* Longer than any test takes; none waits for its end. */
#define LONG_MS 60000

/* A cache of one entry that remembers what it was told, and can be away. */
typedef struct OneCache {
    Cache cache;
    pthread_mutex_t lock;
    Buf key, value;
    bool full, down;
    bool late; /* the next look-up comes just before what is there was put */
    uint32_t ttl_ms;
} OneCache;

static int one_get(Cache *cache, Str key, Arena *arena, Str *ret_value) {
    OneCache *self = (OneCache *)cache;
    int r = CACHE_E_MISS;

    if (key.len == 0) {
        return -EINVAL;
    }
    pthread_mutex_lock(&self->lock);
    if (self->down) {
        r = -EIO;
    } else if (self->late) {
        self->late = false;
    } else if (self->full && str_equal(buf_str(&self->key), key)) {
        *ret_value = (Str){arena_strdup(arena, buf_str(&self->value)), self->value.len};
        r = 0;
    }
    pthread_mutex_unlock(&self->lock);
    return r;
}

static int one_put(Cache *cache, Str key, Str value, uint32_t ttl_ms) {
    OneCache *self = (OneCache *)cache;
    int r = -EIO;

    pthread_mutex_lock(&self->lock);
    if (!self->down) {
        self->key.len = self->value.len = 0;
        buf_add_str(&self->key, key);
        buf_add_str(&self->value, value);
        self->full = true;
        self->ttl_ms = ttl_ms;
        r = 0;
    }
    pthread_mutex_unlock(&self->lock);
    return r;
}

static int one_remove(Cache *cache, Str key) {
    OneCache *self = (OneCache *)cache;
    int r;

    pthread_mutex_lock(&self->lock);
    r = self->down ? -EIO : 0;
    if (r == 0 && str_equal(buf_str(&self->key), key)) {
        self->full = false;
    }
    pthread_mutex_unlock(&self->lock);
    return r;
}

static const CacheImpl one_impl = {.get = one_get, .put = one_put, .remove = one_remove};

typedef struct Fixture {
    OneCache cache;
    ReadThrough *reader;
} Fixture;

static void begin(Fixture *self) {
    *self = (Fixture){.cache = {.cache = {&one_impl}, .lock = PTHREAD_MUTEX_INITIALIZER}};
    self->reader = read_through_new(&self->cache.cache);
}

static void end(Fixture *self) {
    read_through_free(self->reader);
    buf_done(&self->cache.key);
    buf_done(&self->cache.value);
}

/* A place that values are loaded from, and who loads there. */
typedef struct Truth {
    ReadThrough *reader;
    Str value;
    int result;
    atomic_int loads;
    unsigned until_waiting; /* a load ends when so many wait for it */
    atomic_bool *gate;      /* or, when not NULL, once this is true */
} Truth;

static int load(void *userdata, Arena *arena, Str *ret_value) {
    Truth *self = userdata;

    atomic_fetch_add(&self->loads, 1);
    while (read_through_waiting(self->reader, str_lit("k")) < self->until_waiting ||
           (self->gate && !atomic_load(self->gate))) {
        sched_yield();
    }
    if (self->result == 0) {
        *ret_value = (Str){arena_strdup(arena, self->value), self->value.len};
    }
    return self->result;
}

static const ReadThroughPolicy policy = {.ttl_ms = 5000, .none_ttl_ms = 70, .wait_ms = LONG_MS};

static int get(Truth *truth, const ReadThroughPolicy *with, Str expected) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str value = str_lit("untouched");
    int r = read_through_get(truth->reader, str_lit("k"), with, load, truth, arena, &value);

    /* Also told from a thread, where cmocka cannot assert. */
    return str_equal(value, r == 0 ? expected : str_lit("untouched")) ? r : -EBADMSG;
}

static void loads_once_and_keeps_it(void **state) {
    Fixture fixture;
    Truth truth = {.value = {"a\0b", 3}};

    (void)state;
    begin(&fixture);
    truth.reader = fixture.reader;
    assert_int_equal(get(&truth, &policy, truth.value), 0);
    assert_int_equal(fixture.cache.ttl_ms, 5000);
    assert_int_equal(get(&truth, &policy, truth.value), 0);
    assert_int_equal(truth.loads, 1);
    assert_int_equal(read_through_forget(fixture.reader, str_lit("k")), 0);
    assert_int_equal(get(&truth, &policy, truth.value), 0);
    assert_int_equal(truth.loads, 2);
    /* Nothing is a value too, not the absence of one. */
    truth.value = str_lit("");
    assert_int_equal(read_through_forget(fixture.reader, str_lit("k")), 0);
    assert_int_equal(get(&truth, &policy, str_lit("")), 0);
    assert_int_equal(get(&truth, &policy, str_lit("")), 0);
    assert_int_equal(truth.loads, 3);
    end(&fixture);
}

static void peeking_loads_nothing(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Fixture fixture;
    Truth truth = {.value = str_lit("v")};
    Str value;

    (void)state;
    begin(&fixture);
    truth.reader = fixture.reader;
    assert_int_equal(read_through_peek(fixture.reader, str_lit("k"), arena, &value),
                     READ_THROUGH_E_ABSENT);
    assert_int_equal(get(&truth, &policy, truth.value), 0);
    assert_int_equal(read_through_peek(fixture.reader, str_lit("k"), arena, &value), 0);
    assert_true(str_equal(value, truth.value));
    assert_int_equal(read_through_forget(fixture.reader, str_lit("k")), 0);
    assert_int_equal(read_through_peek(fixture.reader, str_lit("k"), arena, &value),
                     READ_THROUGH_E_ABSENT);
    assert_int_equal(truth.loads, 1);
    fixture.cache.down = true;
    assert_int_equal(read_through_peek(fixture.reader, str_lit("k"), arena, &value),
                     READ_THROUGH_E_ABSENT);
    end(&fixture);
}

static void that_there_is_none_is_kept_for_its_own_time(void **state) {
    Fixture fixture;
    Truth truth = {.result = READ_THROUGH_E_NONE};
    ReadThroughPolicy unkept = policy;

    (void)state;
    begin(&fixture);
    truth.reader = fixture.reader;
    unkept.none_ttl_ms = 0;
    assert_int_equal(get(&truth, &unkept, str_lit("")), READ_THROUGH_E_NONE);
    assert_false(fixture.cache.full);
    assert_int_equal(get(&truth, &policy, str_lit("")), READ_THROUGH_E_NONE);
    assert_int_equal(truth.loads, 2);
    assert_int_equal(fixture.cache.ttl_ms, 70);
    assert_int_equal(get(&truth, &policy, str_lit("")), READ_THROUGH_E_NONE);
    assert_int_equal(truth.loads, 2);
    end(&fixture);
}

static void what_is_beyond_the_bounds_is_refused(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(freep) char *large = calloc(1, READ_THROUGH_VALUE_LEN_MAX + 1);
    Fixture fixture;
    Truth truth = {.value = {large, READ_THROUGH_VALUE_LEN_MAX + 1}};
    Str value;

    (void)state;
    begin(&fixture);
    truth.reader = fixture.reader;
    assert_int_equal(get(&truth, &policy, truth.value), -EINVAL);
    assert_false(fixture.cache.full);
    truth.value.len--;
    assert_int_equal(get(&truth, &policy, truth.value), 0);
    assert_int_equal(truth.loads, 2);
    assert_int_equal(
        read_through_get(fixture.reader, str_lit(""), &policy, load, &truth, arena, &value),
        -EINVAL);
    assert_int_equal(truth.loads, 2);
    end(&fixture);
}

typedef struct Caller {
    pthread_t thread;
    Truth *truth;
    ReadThroughPolicy policy;
    Str expected;
    int result;
} Caller;

static void *call(void *userdata) {
    Caller *self = userdata;

    self->result = get(self->truth, &self->policy, self->expected);
    return NULL;
}

static void start(Caller *self, Truth *truth) {
    *self = (Caller){.truth = truth, .policy = policy, .expected = truth->value};
    assert_int_equal(pthread_create(&self->thread, NULL, call, self), 0);
}

static int result_of(Caller *self) {
    pthread_join(self->thread, NULL);
    return self->result;
}

/* All come while the first one loads; each gets what that gave. */
static void run_together(Truth *truth, int expected) {
    Caller callers[THREADS];

    truth->until_waiting = THREADS - 1;
    for (size_t i = 0; i < THREADS; i++) {
        start(&callers[i], truth);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(result_of(&callers[i]), expected);
    }
    truth->until_waiting = 0;
}

static void one_loads_for_all(void **state) {
    Fixture fixture;
    Truth truth = {.value = str_lit("for all")};

    (void)state;
    begin(&fixture);
    truth.reader = fixture.reader;
    run_together(&truth, 0);
    assert_int_equal(truth.loads, 1);
    assert_int_equal(get(&truth, &policy, truth.value), 0);
    assert_int_equal(truth.loads, 1);
    end(&fixture);
}

static void one_loads_for_all_while_the_cache_is_away(void **state) {
    Fixture fixture;
    Truth truth = {.value = str_lit("for all")};

    (void)state;
    begin(&fixture);
    truth.reader = fixture.reader;
    fixture.cache.down = true;
    run_together(&truth, 0);
    assert_int_equal(truth.loads, 1);
    assert_int_equal(get(&truth, &policy, truth.value), 0);
    assert_int_equal(truth.loads, 2);
    assert_int_equal(read_through_forget(fixture.reader, str_lit("k")), -EIO);
    end(&fixture);
}

static void a_fault_is_for_all_and_not_kept(void **state) {
    Fixture fixture;
    Truth truth = {.result = -ENOTCONN, .value = str_lit("later")};

    (void)state;
    begin(&fixture);
    truth.reader = fixture.reader;
    run_together(&truth, -ENOTCONN);
    assert_int_equal(truth.loads, 1);
    assert_false(fixture.cache.full);
    truth.result = 0;
    assert_int_equal(get(&truth, &policy, truth.value), 0);
    assert_int_equal(truth.loads, 2);
    end(&fixture);
}

static void nobody_loads_twice_however_the_threads_meet(void **state) {
    Fixture fixture;

    (void)state;
    begin(&fixture);
    for (int round = 0; round < 300; round++) {
        Truth truth = {.reader = fixture.reader, .value = str_lit("v")};
        Caller callers[4];
        for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
            start(&callers[i], &truth);
        }
        for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
            assert_int_equal(result_of(&callers[i]), 0);
        }
        assert_int_equal(truth.loads, 1);
        assert_int_equal(read_through_forget(fixture.reader, str_lit("k")), 0);
    }
    end(&fixture);
}

static void what_another_has_just_kept_is_not_loaded_again(void **state) {
    Fixture fixture;
    Truth truth = {.value = str_lit("v")};

    (void)state;
    begin(&fixture);
    truth.reader = fixture.reader;
    assert_int_equal(get(&truth, &policy, truth.value), 0);
    fixture.cache.late = true;
    assert_int_equal(get(&truth, &policy, truth.value), 0);
    assert_int_equal(truth.loads, 1);
    end(&fixture);
}

static void wait_for_load(const Truth *truth) {
    while (atomic_load(&truth->loads) == 0) {
        sched_yield();
    }
}

static void waiting_is_bounded(void **state) {
    Fixture fixture;
    atomic_bool gate = false;
    Truth truth = {.value = str_lit("late"), .gate = &gate};
    ReadThroughPolicy impatient = policy;
    Caller slow;
    uint64_t since;

    (void)state;
    begin(&fixture);
    truth.reader = fixture.reader;
    start(&slow, &truth);
    wait_for_load(&truth);
    impatient.wait_ms = 30;
    since = clock_mono_ms();
    assert_int_equal(get(&truth, &impatient, truth.value), -ETIMEDOUT);
    assert_in_range(clock_mono_ms() - since, 29, LONG_MS / 2);
    assert_int_equal(truth.loads, 1);
    atomic_store(&gate, true);
    assert_int_equal(result_of(&slow), 0);
    end(&fixture);
}

static void what_was_read_before_a_change_is_not_kept(void **state) {
    Fixture fixture;
    atomic_bool gate = false;
    Truth old = {.value = str_lit("old"), .gate = &gate}, new = {.value = str_lit("new")};
    Caller early;

    (void)state;
    begin(&fixture);
    old.reader = new.reader = fixture.reader;
    start(&early, &old);
    wait_for_load(&old);
    /* The truth changes while it is being read. */
    assert_int_equal(read_through_forget(fixture.reader, str_lit("k")), 0);
    /* Whoever comes now does not wait for the old one. */
    assert_int_equal(get(&new, &policy, new.value), 0);
    assert_int_equal(new.loads, 1);
    atomic_store(&gate, true);
    assert_int_equal(result_of(&early), 0);
    assert_int_equal(get(&new, &policy, new.value), 0);
    assert_int_equal(new.loads, 1);
    end(&fixture);
}

static int load_by_way_of_another(void *userdata, Arena *arena, Str *ret_value) {
    Truth *truth = userdata;

    return read_through_get(truth->reader, str_lit("k"), &policy, load, truth, arena, ret_value);
}

static void a_load_may_read_another_key(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Fixture fixture;
    Truth truth = {.value = str_lit("v")};
    Str value;

    (void)state;
    begin(&fixture);
    truth.reader = fixture.reader;
    assert_int_equal(read_through_get(fixture.reader, str_lit("outer"), &policy,
                                      load_by_way_of_another, &truth, arena, &value),
                     0);
    assert_true(str_equal(value, str_lit("v")));
    end(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_once_and_keeps_it),
        cmocka_unit_test(peeking_loads_nothing),
        cmocka_unit_test(that_there_is_none_is_kept_for_its_own_time),
        cmocka_unit_test(what_is_beyond_the_bounds_is_refused),
        cmocka_unit_test(one_loads_for_all),
        cmocka_unit_test(one_loads_for_all_while_the_cache_is_away),
        cmocka_unit_test(a_fault_is_for_all_and_not_kept),
        cmocka_unit_test(nobody_loads_twice_however_the_threads_meet),
        cmocka_unit_test(what_another_has_just_kept_is_not_loaded_again),
        cmocka_unit_test(waiting_is_bounded),
        cmocka_unit_test(what_was_read_before_a_change_is_not_kept),
        cmocka_unit_test(a_load_may_read_another_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
