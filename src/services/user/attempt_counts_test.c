/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/attempt_counts.h"

#include "base/test.h"

#include <errno.h>
#include <stdio.h>

#define SECOND_US 1000000LL
#define DAY_US    (86400 * SECOND_US)
#define HOME      "192.0.2.7"
#define STRANGER  "198.51.100.1"

static const Str ada = {"ada@example.com", 15};

/* A cache whose time is what the test says, and which can be away. */
typedef struct Entry {
    char key[CACHE_KEY_LEN_MAX], value[256];
    size_t key_len, value_len;
    int64_t expires_us;
} Entry;

typedef struct FakeCache {
    Cache base;
    int64_t now_us;
    bool away;
    Entry entries[256];
    size_t n;
} FakeCache;

static Entry *find(FakeCache *fake, Str key) {
    for (size_t i = 0; i < fake->n; i++) {
        Entry *entry = &fake->entries[i];
        if (str_equal(key, (Str){entry->key, entry->key_len}) && entry->expires_us > fake->now_us) {
            return entry;
        }
    }
    return NULL;
}

static int fake_get(Cache *self, Str key, Arena *arena, Str *ret_value) {
    FakeCache *fake = (FakeCache *)self;
    Entry *entry = find(fake, key);

    if (fake->away) {
        return -EIO;
    }
    if (!entry) {
        return CACHE_E_MISS;
    }
    *ret_value =
        (Str){arena_strdup(arena, (Str){entry->value, entry->value_len}), entry->value_len};
    return 0;
}

static int fake_put(Cache *self, Str key, Str value, uint32_t ttl_ms) {
    FakeCache *fake = (FakeCache *)self;
    Entry *entry = find(fake, key);

    if (fake->away) {
        return -EIO;
    }
    entry = entry ? entry : &fake->entries[fake->n++];
    assert_true(fake->n < ARRAY_LEN(fake->entries) && value.len <= sizeof(entry->value));
    memcpy(entry->key, key.ptr, key.len);
    memcpy(entry->value, value.ptr, value.len);
    entry->key_len = key.len;
    entry->value_len = value.len;
    entry->expires_us = fake->now_us + ttl_ms * 1000LL;
    return 0;
}

static int fake_add(Cache *self, Str key, Str value, uint32_t ttl_ms) {
    return find((FakeCache *)self, key) ? CACHE_E_EXISTS : fake_put(self, key, value, ttl_ms);
}

static int fake_remove(Cache *self, Str key) {
    Entry *entry = find((FakeCache *)self, key);

    if (entry) {
        entry->expires_us = 0;
    }
    return 0;
}

static int fake_count(Cache *self, Str key, uint64_t by, uint32_t ttl_ms, uint64_t *ret_count) {
    FakeCache *fake = (FakeCache *)self;
    Entry *entry = find(fake, key);
    uint64_t count = 0;

    if (fake->away) {
        return -EIO;
    }
    if (entry) {
        memcpy(&count, entry->value, sizeof(count));
        count += by;
        memcpy(entry->value, &count, sizeof(count));
    } else {
        count = by;
        fake_put(self, key, (Str){(const char *)&count, sizeof(count)}, ttl_ms);
    }
    *ret_count = count;
    return 0;
}

static const CacheImpl fake_impl = {
    .get = fake_get, .put = fake_put, .add = fake_add, .remove = fake_remove, .count = fake_count};

typedef struct Scene {
    FakeCache shared, local;
    AttemptCounts *counts;
} Scene;

static int begin(void **state) {
    static const char material[32] = "not so secret key material here";
    Scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    scene->shared.base.impl = scene->local.base.impl = &fake_impl;
    scene->shared.now_us = scene->local.now_us = 1000 * DAY_US;
    scene->counts = attempt_counts_new(&scene->shared.base, &scene->local.base, 20,
                                       (Str){material, sizeof(material)});
    *state = scene;
    return 0;
}

static int end(void **state) {
    Scene *scene = *state;

    attempt_counts_free(scene->counts);
    free(scene);
    return 0;
}

static void pass(Scene *scene, int64_t us) {
    scene->shared.now_us += us;
    scene->local.now_us += us;
}

static uint32_t try(Scene *scene, const char *address) {
    return attempt_counts_take(scene->counts, ATTEMPT_PASSWORD, ada, address, scene->shared.now_us);
}

/* How many go through at once, from there. */
static unsigned burst(Scene *scene, const char *address) {
    unsigned n = 0;

    while (try(scene, address) == 0) {
        n++;
        assert_true(n < 100);
    }
    return n;
}

static void waits_double_up_to_a_bound(void **state) {
    Scene *scene = *state;
    uint32_t wait_s, last_s = 1;

    assert_int_equal(burst(scene, STRANGER), 5);
    for (size_t i = 0; i < 15; i++) {
        wait_s = try(scene, STRANGER);
        assert_true(wait_s == last_s || wait_s == MIN(2 * last_s, ATTEMPT_WAIT_MAX_S));
        pass(scene, (wait_s - 1) * SECOND_US);
        assert_int_equal(try(scene, STRANGER), 1); /* not a second sooner */
        pass(scene, SECOND_US);
        assert_int_equal(try(scene, STRANGER), 0);
        last_s = wait_s;
    }
    assert_int_equal(last_s, ATTEMPT_WAIT_MAX_S);
    pass(scene, DAY_US);
    assert_int_equal(burst(scene, STRANGER), 5);
}

static void strangers_do_not_keep_the_owner_out(void **state) {
    Scene *scene = *state;

    attempt_counts_succeeded(scene->counts, ada, HOME);
    for (size_t i = 0; i < 50; i++) {
        char address[32];
        snprintf(address, sizeof(address), "198.51.100.%zu", i);
        (void)try(scene, address);
    }
    assert_true(try(scene, STRANGER) > 0); /* wherever they come from, they are one */
    assert_int_equal(burst(scene, HOME), 5);
    attempt_counts_succeeded(scene->counts, ada, HOME);
    assert_int_equal(burst(scene, HOME), 5);
    assert_true(try(scene, STRANGER) > 0); /* her success is none of theirs */
}

static void success_from_elsewhere_makes_it_known(void **state) {
    Scene *scene = *state;

    (void)burst(scene, STRANGER);
    attempt_counts_succeeded(scene->counts, ada, HOME);
    assert_int_equal(burst(scene, STRANGER), 5); /* she was counted with them */
    assert_int_equal(burst(scene, HOME), 5);
}

static void networks_are_forgotten(void **state) {
    Scene *scene = *state;

    attempt_counts_succeeded(scene->counts, ada, HOME);
    pass(scene, (ATTEMPT_NETWORK_DAYS + 1) * DAY_US);
    (void)burst(scene, STRANGER);
    assert_true(try(scene, HOME) > 0); /* after a while */

    attempt_counts_succeeded(scene->counts, ada, HOME);
    for (size_t i = 0; i < ATTEMPT_NETWORKS_MAX; i++) {
        char address[32];
        snprintf(address, sizeof(address), "203.0.113.%zu", i);
        attempt_counts_succeeded(scene->counts, ada, address);
    }
    (void)burst(scene, STRANGER);
    assert_true(try(scene, HOME) > 0); /* for others that were used since */
    assert_int_equal(try(scene, "203.0.113.0"), 0);
}

static void ipv6_is_counted_by_64_bits(void **state) {
    Scene *scene = *state;

    attempt_counts_succeeded(scene->counts, ada, "2001:db8:1:2::1");
    (void)burst(scene, "2001:db8:9:9::1");
    assert_true(try(scene, "2001:db8:9:9:ffff::2") > 0);
    assert_int_equal(burst(scene, "2001:db8:1:2:ffff::9"), 5);
    assert_true(try(scene, "2001:db8:1:3::1") > 0);
    attempt_counts_succeeded(scene->counts, ada, HOME);
    assert_int_equal(burst(scene, "::ffff:" HOME), 5);
    assert_true(try(scene, HOME) > 0);
}

static void a_network_has_its_own_count(void **state) {
    Scene *scene = *state;
    unsigned n = 0;

    while (attempt_counts_take_network(scene->counts, ATTEMPT_NETWORK, STRANGER,
                                       scene->shared.now_us) == 0) {
        n++;
        assert_true(n < 100);
    }
    assert_int_equal(n, 20);
    assert_int_equal(
        attempt_counts_take_network(scene->counts, ATTEMPT_DEVICE, STRANGER, scene->shared.now_us),
        0);
    assert_int_equal(
        attempt_counts_take_network(scene->counts, ATTEMPT_NETWORK, HOME, scene->shared.now_us), 0);
}

static void kinds_and_accounts_do_not_mix(void **state) {
    Scene *scene = *state;

    (void)burst(scene, STRANGER);
    assert_int_equal(
        attempt_counts_take(scene->counts, ATTEMPT_CODE, ada, STRANGER, scene->shared.now_us), 0);
    assert_int_equal(attempt_counts_take(scene->counts, ATTEMPT_PASSWORD,
                                         str_lit("bob@example.com"), STRANGER,
                                         scene->shared.now_us),
                     0);
}

static void without_the_cache_this_process_counts(void **state) {
    Scene *scene = *state;

    attempt_counts_succeeded(scene->counts, ada, HOME);
    scene->shared.away = true;
    assert_int_equal(burst(scene, STRANGER), 5);
    assert_int_equal(burst(scene, HOME), 5); /* it has kept in mind where she lives */
    scene->local.away = true;
    assert_int_equal(try(scene, HOME), 1); /* what cannot be counted waits */
}

static bool holds(const char *bytes, size_t len, Str what) {
    return memmem(bytes, len, what.ptr, what.len) != NULL;
}

static void nothing_in_the_cache_is_readable(void **state) {
    Scene *scene = *state;
    const Str secrets[] = {ada, str_lit(HOME), {"\xc0\x00\x02\x07", 4}};

    (void)burst(scene, HOME);
    attempt_counts_succeeded(scene->counts, ada, HOME);
    (void)burst(scene, HOME);
    (void)attempt_counts_take_network(scene->counts, ATTEMPT_NETWORK, HOME, scene->shared.now_us);
    assert_true(scene->shared.n > 3);
    for (size_t i = 0; i < scene->shared.n; i++) {
        const Entry *entry = &scene->shared.entries[i];
        for (size_t j = 0; j < ARRAY_LEN(secrets); j++) {
            assert_false(holds(entry->key, entry->key_len, secrets[j]));
            assert_false(holds(entry->value, entry->value_len, secrets[j]));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(waits_double_up_to_a_bound, begin, end),
        cmocka_unit_test_setup_teardown(strangers_do_not_keep_the_owner_out, begin, end),
        cmocka_unit_test_setup_teardown(success_from_elsewhere_makes_it_known, begin, end),
        cmocka_unit_test_setup_teardown(networks_are_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(ipv6_is_counted_by_64_bits, begin, end),
        cmocka_unit_test_setup_teardown(a_network_has_its_own_count, begin, end),
        cmocka_unit_test_setup_teardown(kinds_and_accounts_do_not_mix, begin, end),
        cmocka_unit_test_setup_teardown(without_the_cache_this_process_counts, begin, end),
        cmocka_unit_test_setup_teardown(nothing_in_the_cache_is_readable, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
