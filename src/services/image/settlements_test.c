/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/settlements.h"

#include "base/log.h"
#include "base/test.h"
#include "services/image/accounts.h"

#include <errno.h>
#include <pthread.h>

/* A user service that fails so often, and notes what it was told then. */
typedef struct FakeAccess {
    Access base;
    pthread_mutex_t lock;
    pthread_cond_t told;
    unsigned failures; /* still to come */
    Uuid broken;       /* the reservation that fails always */
    int answer;
    unsigned asked, charges, releases;
    Uuid last;
} FakeAccess;

static int fake_settle(Access *base, const AccessReservation *reservation, bool charge) {
    FakeAccess *self = (FakeAccess *)base;
    int r = self->answer;

    pthread_mutex_lock(&self->lock);
    self->asked++;
    if (self->failures > 0) {
        self->failures--;
        r = -ENOTCONN;
    } else if (uuid_equal(&reservation->reservation_id, &self->broken)) {
        r = -EIO;
    } else {
        *(charge ? &self->charges : &self->releases) += 1;
        self->last = reservation->reservation_id;
    }
    pthread_cond_broadcast(&self->told);
    pthread_mutex_unlock(&self->lock);
    return r;
}

static const AccessImpl fake_impl = {.settle = fake_settle};

typedef struct World {
    FakeAccess access;
    Metrics *metrics;
    Settlements *settlements;
} World;

static void start(World *world, uint32_t retry_ms) {
    log_setup(LOG_LEVEL_OFF, "test");
    *world = (World){.access = {.base = {&fake_impl}}, .metrics = metrics_new()};
    pthread_mutex_init(&world->access.lock, NULL);
    pthread_cond_init(&world->access.told, NULL);
    assert_int_equal(settlements_new(&(SettlementsOptions){.access = &world->access.base,
                                                           .retry_ms = retry_ms,
                                                           .metrics = world->metrics,
                                                           .charged = metrics_counter(
                                                               world->metrics, "charged", "", "")},
                                     &world->settlements),
                     0);
}

static void end(World *world) {
    settlements_free(world->settlements);
    metrics_free(world->metrics);
    pthread_cond_destroy(&world->access.told);
    pthread_mutex_destroy(&world->access.lock);
}

static AccessReservation reservation(void) {
    return (AccessReservation){uuid_new(), uuid_new(), 2ull * CREDIT};
}

static void wait_for(FakeAccess *access, unsigned told) {
    pthread_mutex_lock(&access->lock);
    while (access->charges + access->releases < told) {
        pthread_cond_wait(&access->told, &access->lock);
    }
    pthread_mutex_unlock(&access->lock);
}

static bool shows(const World *world, const char *line) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    metrics_render(world->metrics, &text);
    return strstr(buf_cstr(&text), line) != NULL;
}

static void said_until_it_is_heard(void **state) {
    AccessReservation one = reservation();
    World world;

    (void)state;
    start(&world, 1);
    world.access.failures = 5;
    assert_true(settlements_add(world.settlements, &one, true));
    wait_for(&world.access, 1);
    assert_true(uuid_equal(&world.access.last, &one.reservation_id));
    assert_true(settlements_add(world.settlements, &one, false));
    wait_for(&world.access, 2);
    settlements_free(TAKE_PTR(world.settlements));
    assert_int_equal(world.access.charges, 1);
    assert_int_equal(world.access.releases, 1);
    assert_int_equal(world.access.asked, 7);
    assert_true(shows(&world, "\ncharged 2\n"));
    assert_true(shows(&world, "\nimagesync_settlements_waiting 0\n"));
    end(&world);
}

static void what_has_expired_is_not_said_again(void **state) {
    AccessReservation one = reservation();
    World world;

    (void)state;
    start(&world, 1);
    world.access.answer = ACCESS_E_GONE;
    assert_true(settlements_add(world.settlements, &one, true));
    wait_for(&world.access, 1);
    settlements_free(TAKE_PTR(world.settlements));
    assert_int_equal(world.access.asked, 1);
    assert_true(shows(&world, "\ncharged 0\n"));
    end(&world);
}

static void one_that_fails_holds_up_no_other(void **state) {
    AccessReservation bad = reservation(), good = reservation();
    World world;

    (void)state;
    start(&world, 1);
    world.access.broken = bad.reservation_id;
    assert_true(settlements_add(world.settlements, &bad, true));
    assert_true(settlements_add(world.settlements, &good, true));
    wait_for(&world.access, 1);
    assert_true(uuid_equal(&world.access.last, &good.reservation_id));
    end(&world);
}

static void at_the_end_all_are_said_once_more(void **state) {
    World world;

    (void)state;
    start(&world, 3600000);
    for (unsigned i = 0; i < 3; i++) {
        AccessReservation one = reservation();
        assert_true(settlements_add(world.settlements, &one, true));
    }
    assert_true(shows(&world, "\nimagesync_settlements_waiting 3\n"));
    settlements_free(TAKE_PTR(world.settlements));
    assert_int_equal(world.access.charges, 3);
    end(&world);
}

static void no_more_are_kept_than_may_be(void **state) {
    AccessReservation one = reservation();
    World world;

    (void)state;
    start(&world, 3600000);
    for (unsigned i = 0; i < SETTLEMENTS_MAX; i++) {
        assert_true(settlements_add(world.settlements, &one, true));
    }
    assert_false(settlements_add(world.settlements, &one, true));
    /* One that is away at the end, too, is asked only once. */
    world.access.failures = UINT32_MAX;
    settlements_free(TAKE_PTR(world.settlements));
    assert_int_equal(world.access.asked, 1);
    end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(said_until_it_is_heard),
        cmocka_unit_test(what_has_expired_is_not_said_again),
        cmocka_unit_test(one_that_fails_holds_up_no_other),
        cmocka_unit_test(at_the_end_all_are_said_once_more),
        cmocka_unit_test(no_more_are_kept_than_may_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
