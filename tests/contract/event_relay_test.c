/* SPDX-License-Identifier: Apache-2.0 */

/* The relay of the event log, on the database of the URL in argv[1], into a sink in memory that
 * fails and dawdles. */

#include "base/clock.h"
#include "contract/event_testing.h"
#include "core/events/relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define USERS       12
#define EVENTS      4000
#define LEASE_MS    3000
#define PATIENCE_MS 60000

static Db *db;
static _Atomic int64_t clock_ahead_us;

static int64_t now_us(void) {
    return clock_unix_us() + atomic_load(&clock_ahead_us);
}

/* Keeps what a reader would: of each user the numbers greater than all before. */
typedef struct MemorySink {
    EventSink sink;
    pthread_mutex_t lock;
    struct {
        Uuid user_id;
        int64_t seq;
    } users[USERS];
    size_t n_users, n_all, n_repeated;
    bool gap;
    int fault;      /* what publish() says, after having taken `taken` of the events */
    unsigned taken; /* per cent */
    bool random;    /* every third time or so, a fault */
    bool counts;    /* and keeps nothing */
    void (*meanwhile)(void);
} MemorySink;

static void take_event(MemorySink *self, const Event *event) {
    size_t i = 0;

    if (self->counts) {
        self->n_all++;
        return;
    }
    while (i < self->n_users && !uuid_equal(&self->users[i].user_id, &event->user_id)) {
        i++;
    }
    if (i == self->n_users) {
        assert_true(i < USERS);
        self->users[i].user_id = event->user_id;
        self->users[i].seq = 0;
        self->n_users++;
    }
    if (event->seq <= self->users[i].seq) {
        self->n_repeated++;
        return;
    }
    self->gap = self->gap || event->seq != self->users[i].seq + 1;
    self->users[i].seq = event->seq;
    self->n_all++;
}

static int memory_publish(EventSink *sink, const Event *events, size_t n) {
    MemorySink *self = (MemorySink *)sink;
    int fault;

    assert_true(n >= 1 && n <= EVENT_SINK_MAX);
    pthread_mutex_lock(&self->lock);
    if (self->random) {
        self->fault = rand() % 3 == 0 ? -ENOTCONN : 0;
        self->taken = (unsigned)(rand() % 101);
    }
    fault = self->fault;
    n = fault ? n * self->taken / 100 : n;
    for (size_t i = 0; i < n; i++) {
        take_event(self, &events[i]);
    }
    pthread_mutex_unlock(&self->lock);
    if (self->meanwhile) {
        void (*meanwhile)(void) = self->meanwhile;
        self->meanwhile = NULL;
        meanwhile();
    }
    return fault;
}

static EventSink *memory_free(EventSink *sink) {
    (void)sink;
    return NULL;
}

static const EventSinkImpl memory_impl = {.publish = memory_publish, .free = memory_free};
static MemorySink sink;

static void expect(const Uuid *user_id, int64_t seq) {
    for (size_t i = 0; i < sink.n_users; i++) {
        if (uuid_equal(&sink.users[i].user_id, user_id)) {
            assert_int_equal(sink.users[i].seq, seq);
            return;
        }
    }
    assert_int_equal(seq, 0);
}

static EventRelay *new_relay(void) {
    EventRelayOptions options = {
        .db = db, .sink = &sink.sink, .lease_ms = LEASE_MS, .now_us = now_us};
    EventRelay *relay = NULL;

    assert_int_equal(event_relay_new(&options, &relay), 0);
    return relay;
}

/* Until a round moves nothing. */
static size_t relay_all(EventRelay *relay) {
    size_t n = 1, all = 0;

    while (n > 0) {
        assert_int_equal(event_relay_round(relay, &n), 0);
        all += n;
    }
    return all;
}

static int script_work(DbTx *tx, void *userdata) {
    return db_script(tx, userdata);
}

/* What others left would be relayed too. */
static int make_empty(void **state) {
    static char script[] = "DELETE FROM event_outbox; DELETE FROM event_relayed;"
                           "UPDATE event_relay SET holder = '', until_us = 0;";

    (void)state;
    sink = (MemorySink){.sink.impl = &memory_impl, .lock = PTHREAD_MUTEX_INITIALIZER};
    atomic_store(&clock_ahead_us, 0);
    return event_testing_write(db, script_work, script);
}

static int64_t number(const DbStatement *statement, const DbValue *params);

static int64_t count_marks(void) {
    static const DbStatement statement = {"contract_marks", "SELECT count(*) FROM event_outbox", 0,
                                          1};

    return number(&statement, NULL);
}

static int64_t count_places(void) {
    static const DbStatement statement = {"contract_places", "SELECT count(*) FROM event_relayed",
                                          0, 1};

    return number(&statement, NULL);
}

static int64_t place_of(const Uuid *user_id) {
    static const DbStatement statement = {
        "contract_place", "SELECT COALESCE(MAX(seq), 0) FROM event_relayed WHERE user_id = ?", 1,
        1};

    return number(&statement, (const DbValue[]){DB_BLOB(uuid_str(user_id))});
}

typedef struct Number {
    const DbStatement *statement;
    const DbValue *params;
    int64_t value;
} Number;

static int number_work(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Number *self = userdata;
    const DbValue *row;
    int r = db_query_one(tx, self->statement, self->params, arena, &row);

    self->value = r == 0 ? row[0].integer : 0;
    return r;
}

static int64_t number(const DbStatement *statement, const DbValue *params) {
    Number self = {statement, params, 0};

    assert_int_equal(event_testing_write(db, number_work, &self), 0);
    return self.value;
}

static void all_are_moved_in_order_once(void **state) {
    enum {
        EACH = 150
    };
    _cleanup_(event_relay_freep) EventRelay *relay = new_relay();
    Uuid users[3] = {uuid_new(), uuid_new(), uuid_new()};

    (void)state;
    for (unsigned i = 0; i < 3 * EACH; i++) {
        event_testing_add(db, &users[i % 3], "a");
    }
    assert_int_equal(count_marks(), 3);
    assert_int_equal(relay_all(relay), 3 * EACH);
    assert_int_equal(sink.n_all, 3 * EACH);
    assert_int_equal(sink.n_repeated, 0);
    assert_false(sink.gap);
    assert_int_equal(count_marks(), 0);
    assert_int_equal(place_of(&users[0]), EACH);
    event_testing_add(db, &users[1], "b");
    assert_int_equal(relay_all(relay), 1);
    expect(&users[1], EACH + 1);
    assert_int_equal(sink.n_repeated, 0);
}

static void what_the_sink_did_not_take_is_moved_later(void **state) {
    _cleanup_(event_relay_freep) EventRelay *relay = new_relay();
    Uuid me = uuid_new();
    size_t n;

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        event_testing_add(db, &me, "a");
    }
    for (sink.taken = 0; sink.taken <= 100; sink.taken += 50) {
        sink.fault = -ENOTCONN;
        assert_int_equal(event_relay_round(relay, &n), -ENOTCONN);
        assert_int_equal(place_of(&me), 0);
        assert_int_equal(count_marks(), 1);
    }
    sink.fault = 0;
    assert_int_equal(relay_all(relay), 10);
    expect(&me, 10);
    assert_int_equal(sink.n_repeated, 5 + 10);
    assert_false(sink.gap);
    assert_int_equal(count_marks(), 0);
}

static Uuid grows;

static void add_one(void) {
    event_testing_add(db, &grows, "b");
}

static void what_is_added_meanwhile_is_moved_next(void **state) {
    _cleanup_(event_relay_freep) EventRelay *relay = new_relay();
    size_t n;

    (void)state;
    grows = uuid_new();
    event_testing_add(db, &grows, "a");
    sink.meanwhile = add_one;
    assert_int_equal(event_relay_round(relay, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(count_marks(), 1);
    assert_int_equal(relay_all(relay), 1);
    expect(&grows, 2);
    assert_int_equal(count_marks(), 0);
}

static EventRelay *second;

/* The first stands still for as long as its lease is; the second takes over and goes on. */
static void overtake(void) {
    atomic_fetch_add(&clock_ahead_us, LEASE_MS * 1000LL + 1000);
    event_testing_add(db, &grows, "b");
    second = new_relay();
    assert_int_equal(relay_all(second), 2);
}

static void who_was_too_slow_changes_nothing(void **state) {
    _cleanup_(event_relay_freep) EventRelay *first = new_relay();
    size_t n;

    (void)state;
    second = new_relay();
    grows = uuid_new();
    event_testing_add(db, &grows, "a");
    /* One at a time: the second has nothing while the first lives. */
    assert_int_equal(event_relay_round(first, &n), 0);
    event_testing_add(db, &grows, "a");
    assert_int_equal(event_relay_round(second, &n), 0);
    assert_int_equal(n, 0);
    event_relay_free(second);
    sink.meanwhile = overtake;
    assert_int_equal(event_relay_round(first, &n), 0);
    assert_int_equal(place_of(&grows), 3);
    expect(&grows, 3);
    assert_false(sink.gap);
    /* And it has lost the shard for good. */
    event_testing_add(db, &grows, "c");
    assert_int_equal(event_relay_round(first, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(relay_all(second), 1);
    /* Who ends gives it up at once. */
    second = event_relay_free(second);
    atomic_fetch_add(&clock_ahead_us, 1000);
    event_testing_add(db, &grows, "d");
    first = event_relay_free(first);
    first = new_relay();
    assert_int_equal(relay_all(first), 1);
    assert_int_equal(place_of(&grows), 5);
}

/* A clock that was set back does not leave a shard to nobody. */
static void a_lease_from_the_future_is_not_waited_for(void **state) {
    _cleanup_(event_relay_freep) EventRelay *first = new_relay();
    _cleanup_(event_relay_freep) EventRelay *other = NULL;
    Uuid me = uuid_new();
    size_t n;

    (void)state;
    atomic_store(&clock_ahead_us, 3600000000LL);
    assert_int_equal(event_relay_round(first, &n), 0);
    atomic_store(&clock_ahead_us, 0);
    other = new_relay();
    event_testing_add(db, &me, "a");
    assert_int_equal(relay_all(other), 1);
}

static void erase(void) {
    static char script[] = "DELETE FROM event; DELETE FROM event_head; DELETE FROM event_outbox;"
                           "DELETE FROM event_relayed;";

    assert_int_equal(event_testing_write(db, script_work, script), 0);
}

static void who_is_erased_meanwhile_leaves_nothing(void **state) {
    _cleanup_(event_relay_freep) EventRelay *relay = new_relay();
    size_t n;

    (void)state;
    grows = uuid_new();
    event_testing_add(db, &grows, "a");
    sink.meanwhile = erase;
    assert_int_equal(event_relay_round(relay, &n), 0);
    assert_int_equal(count_places(), 0);
    assert_int_equal(count_marks(), 0);
    assert_int_equal(relay_all(relay), 0);
}

/* Of 2 users one has a long log; the other's event does not wait for all of it. */
static void a_long_log_does_not_hold_up_others(void **state) {
    enum {
        LONG = 1200
    };
    _cleanup_(event_relay_freep) EventRelay *relay = new_relay();
    Uuid busy = uuid_new(), other = uuid_new();
    size_t n;

    (void)state;
    for (unsigned i = 0; i < LONG; i++) {
        event_testing_add(db, &busy, "a");
    }
    event_testing_add(db, &other, "a");
    assert_int_equal(event_relay_round(relay, &n), 0);
    expect(&other, 1);
    assert_true(n < LONG);
    relay_all(relay);
    expect(&busy, LONG);
}

/* More marked users in a shard than a batch looks at. */
static void all_users_have_their_turn(void **state) {
    enum {
        MANY = 150
    };
    _cleanup_(event_relay_freep) EventRelay *relay = new_relay();

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        Uuid user = uuid_new();
        user.bytes[15] = (uint8_t)(user.bytes[15] / EVENT_SHARDS * EVENT_SHARDS);
        event_testing_add(db, &user, "a");
    }
    sink.counts = true;
    assert_int_equal(relay_all(relay), MANY);
    assert_int_equal(sink.n_all, MANY);
    assert_int_equal(count_marks(), 0);
    assert_int_equal(count_places(), MANY);
}

static atomic_bool writing;
static Uuid crowd[USERS];

static void *write_many(void *userdata) {
    (void)userdata;
    for (unsigned i = 0; i < EVENTS / 4; i++) {
        event_testing_add(db, &crowd[(unsigned)rand() % USERS], "a");
    }
    return NULL;
}

static void *relay_many(void *userdata) {
    EventRelay *relay = new_relay();
    uint64_t since = clock_mono_ms();

    (void)userdata;
    while ((atomic_load(&writing) || count_marks() > 0) && clock_mono_ms() - since < PATIENCE_MS) {
        size_t n;
        if (event_relay_round(relay, &n) < 0 && rand() % 4 == 0) {
            event_relay_free(relay); /* as one that ends and is started again */
            relay = new_relay();
        }
        if (rand() % 8 == 0) {
            /* The other's lease ends, wherever it is. */
            atomic_fetch_add(&clock_ahead_us, LEASE_MS * 1000LL + 1000);
        }
    }
    event_relay_free(relay);
    return NULL;
}

static void nothing_is_lost_among_many(void **state) {
    pthread_t writers[4], relays[2];
    int64_t total = 0;

    (void)state;
    sink.random = true;
    for (unsigned i = 0; i < USERS; i++) {
        crowd[i] = uuid_new();
    }
    atomic_store(&writing, true);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&writers[i], NULL, write_many, NULL), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&relays[i], NULL, relay_many, NULL), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(writers[i], NULL);
    }
    atomic_store(&writing, false);
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(relays[i], NULL);
    }
    assert_int_equal(count_marks(), 0);
    assert_false(sink.gap);
    for (unsigned i = 0; i < USERS; i++) {
        int64_t seq = event_testing_head(db, &crowd[i]).seq;
        expect(&crowd[i], seq);
        assert_int_equal(place_of(&crowd[i]), seq);
        total += seq;
    }
    assert_int_equal(total, EVENTS);
    assert_int_equal(sink.n_all, EVENTS);
    print_message("%zu repeated\n", sink.n_repeated);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_are_moved_in_order_once, make_empty),
        cmocka_unit_test_setup(what_the_sink_did_not_take_is_moved_later, make_empty),
        cmocka_unit_test_setup(what_is_added_meanwhile_is_moved_next, make_empty),
        cmocka_unit_test_setup(who_was_too_slow_changes_nothing, make_empty),
        cmocka_unit_test_setup(a_lease_from_the_future_is_not_waited_for, make_empty),
        cmocka_unit_test_setup(who_is_erased_meanwhile_leaves_nothing, make_empty),
        cmocka_unit_test_setup(a_long_log_does_not_hold_up_others, make_empty),
        cmocka_unit_test_setup(all_users_have_their_turn, make_empty),
        cmocka_unit_test_setup(nothing_is_lost_among_many, make_empty),
    };
    int failed;

    if (argc != 2 || event_testing_open(argv[1], &db) != 0) {
        fprintf(stderr, "usage: event_relay_contract URL\n");
        return 2;
    }
    srand((unsigned)time(NULL));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(db);
    return failed;
}
