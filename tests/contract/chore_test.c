/* SPDX-License-Identifier: Apache-2.0 */

/* Leases of chores on any engine: one holder at a time, and free again when that dies. */

#include "adapters/db/migrations.h"
#include "db_testing.h"
#include "services/user/chore_store.h"

#include <pthread.h>
#include <stdio.h>

#define PARTITIONS 4
#define PERIOD     1000
#define TAKERS     8

static const char *url;
static Arena *arena;
static Uuid one, other;

static int set_up(void **state) {
    static char nothing[] = "DELETE FROM user_chore;";
    const char *error = "";
    Db *db = NULL;
    size_t n;
    int r;

    arena = arena_new();
    r = db_engine_open(url, &db);
    if (r == 0) {
        r = migrations_up(db, migrations_embedded, PARTITIONS, arena, &n, &error);
    }
    if (r == 0) {
        r = db_write(db, run_script, nothing, NULL);
    }
    one = uuid_new();
    other = uuid_new();
    *state = db;
    return r;
}

static int tear_down(void **state) {
    *state = db_free(*state);
    arena = arena_free(arena);
    return 0;
}

typedef struct Turn {
    ChoreLease lease;
    int (*run)(DbTx *tx, ChoreLease *lease);
    int64_t due;
} Turn;

static int run_take(DbTx *tx, void *userdata) {
    return chore_store_take(tx, &((Turn *)userdata)->lease);
}

static int run_renew(DbTx *tx, void *userdata) {
    return chore_store_renew(tx, &((Turn *)userdata)->lease);
}

static int run_release(DbTx *tx, void *userdata) {
    const Turn *turn = userdata;

    return chore_store_release(tx, &turn->lease, turn->due);
}

static Turn turn_of(const char *name, const Uuid *holder, int64_t now) {
    return (Turn){.lease = {.name = name,
                            .holder = *holder,
                            .now_us = now,
                            .period_us = PERIOD,
                            .until_us = now + 100,
                            .arena = arena}};
}

static int take(Db *db, const char *name, const Uuid *holder, int64_t now) {
    Turn turn = turn_of(name, holder, now);

    return db_write(db, run_take, &turn, NULL);
}

static int take_early(Db *db, const char *name, const Uuid *holder, int64_t now) {
    Turn turn = turn_of(name, holder, now);

    turn.lease.early = true;
    return db_write(db, run_take, &turn, NULL);
}

static int renew(Db *db, const char *name, const Uuid *holder, int64_t now) {
    Turn turn = turn_of(name, holder, now);

    return db_write(db, run_renew, &turn, NULL);
}

static int release(Db *db, const char *name, const Uuid *holder, int64_t due) {
    Turn turn = turn_of(name, holder, 0);

    turn.due = due;
    return db_write(db, run_release, &turn, NULL);
}

static void one_has_it_at_a_time(void **state) {
    Turn turn = turn_of("a", &other, 2000);

    assert_int_equal(take(*state, "a", &one, 2000), 0);
    assert_int_equal(db_write(*state, run_take, &turn, NULL), CHORE_E_LATER);
    assert_int_equal(turn.lease.free_us, 2100);
    assert_int_equal(take_early(*state, "a", &other, 2050), CHORE_E_LATER);
    assert_int_equal(take(*state, "b", &other, 2000), 0); /* another chore is another matter */
    assert_int_equal(renew(*state, "a", &one, 2090), 0);
    assert_int_equal(take(*state, "a", &other, 2150), CHORE_E_LATER);
}

static void it_is_done_once_a_period(void **state) {
    assert_int_equal(take(*state, "a", &one, 2000), 0);
    assert_int_equal(release(*state, "a", &one, 3000), 0);
    assert_int_equal(take(*state, "a", &other, 2500), CHORE_E_LATER);
    assert_int_equal(take(*state, "a", &one, 2999), CHORE_E_LATER);
    assert_int_equal(take_early(*state, "a", &other, 2500), 0);
    assert_int_equal(release(*state, "a", &other, 3000), 0);
    assert_int_equal(take(*state, "a", &other, 3000), 0);
}

static void a_holder_that_is_gone_loses_it(void **state) {
    assert_int_equal(take(*state, "a", &one, 2000), 0);
    assert_int_equal(take(*state, "a", &other, 2100), 0);
    assert_int_equal(renew(*state, "a", &one, 2110), CHORE_E_LOST);
    assert_int_equal(release(*state, "a", &one, 9999), CHORE_E_LOST);
    assert_int_equal(renew(*state, "a", &other, 2110), 0);
}

/* Somebody's clock was wrong, or the period was longer before. */
static void what_is_due_too_late_is_due(void **state) {
    assert_int_equal(take(*state, "a", &one, 2000), 0);
    assert_int_equal(release(*state, "a", &one, 999999), 0);
    assert_int_equal(take(*state, "a", &other, 2100), 0);
}

typedef struct Taker {
    Db *db;
    Uuid self;
    int r;
} Taker;

static void *take_at_once(void *userdata) {
    _cleanup_(arena_freep) Arena *own = arena_new();
    Taker *taker = userdata;
    Turn turn = turn_of("a", &taker->self, 2000);

    turn.lease.arena = own;
    taker->r = db_write(taker->db, run_take, &turn, NULL);
    return NULL;
}

static void of_many_at_once_one_gets_it(void **state) {
    pthread_t threads[TAKERS];
    Taker takers[TAKERS];
    unsigned n = 0;

    for (size_t i = 0; i < TAKERS; i++) {
        takers[i] = (Taker){.db = *state, .self = uuid_new()};
        assert_int_equal(pthread_create(&threads[i], NULL, take_at_once, &takers[i]), 0);
    }
    for (size_t i = 0; i < TAKERS; i++) {
        pthread_join(threads[i], NULL);
        n += takers[i].r == 0;
    }
    assert_int_equal(n, 1);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_has_it_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_done_once_a_period, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_holder_that_is_gone_loses_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_due_too_late_is_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_many_at_once_one_gets_it, set_up, tear_down),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    url = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
