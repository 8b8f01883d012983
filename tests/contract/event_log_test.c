/* SPDX-License-Identifier: Apache-2.0 */

/* The event log, on the database of the URL in argv[1]. */

#include "base/clock.h"
#include "contract/event_testing.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define WRITERS  6
#define EACH     20
#define GIVES_UP 77
#define DAY_US   86400000000LL

static Db *db;

static void numbers_begin_at_one_and_have_no_gap(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Uuid me = uuid_new(), other = uuid_new();
    Event *events;

    (void)state;
    assert_int_equal(event_testing_head(db, &me).seq, 0);
    for (int64_t i = 1; i <= 5; i++) {
        assert_int_equal(event_testing_add(db, &me, "mine"), i);
    }
    assert_int_equal(event_testing_add(db, &other, "another's"), 1);
    assert_int_equal(event_testing_read(db, &me, 0, arena, &events), 5);
    for (int64_t i = 0; i < 5; i++) {
        assert_int_equal(events[i].seq, i + 1);
    }
    assert_int_equal(event_testing_read(db, &me, 3, arena, &events), 2);
    assert_int_equal(events[0].seq, 4);
    assert_int_equal(event_testing_read(db, &me, 5, arena, &events), 0);
    assert_int_equal(event_testing_head(db, &me).seq, 5);
    assert_int_equal(event_testing_head(db, &me).horizon, 0);
}

static void an_event_comes_back_as_it_was(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Change change = {.user_id = uuid_new(),
                     .object_id = uuid_new(),
                     .version = 7,
                     .state = "secret",
                     .at_us = 1234567};
    Event *events;

    (void)state;
    assert_int_equal(event_testing_change(db, &change), 0);
    change.version = 8;
    change.state = NULL;
    assert_int_equal(event_testing_change(db, &change), 0);
    assert_int_equal(event_testing_read(db, &change.user_id, 0, arena, &events), 2);
    assert_string_equal(events[0].kind, "thing");
    assert_true(uuid_equal(&events[0].object_id, &change.object_id));
    assert_int_equal(events[0].version, 7);
    assert_false(events[0].removed);
    assert_true(uuid_is_nil(&events[0].device_id));
    assert_int_equal(events[0].at_us, 1234567);
    assert_string_equal(events[0].facts, "{\"n\":1}");
    assert_true(str_equal(events[0].sealed, str_lit("secret")));
    assert_true(events[1].removed);
    assert_int_equal(events[1].sealed.len, 0);
}

static void what_is_rolled_back_leaves_no_gap(void **state) {
    Uuid me = uuid_new();
    Change given_up = {
        .user_id = me, .object_id = uuid_new(), .version = 1, .state = "no", .result = GIVES_UP};

    (void)state;
    assert_int_equal(event_testing_add(db, &me, "a"), 1);
    assert_int_equal(event_testing_change(db, &given_up), GIVES_UP);
    assert_int_equal(given_up.seq, 2);
    assert_int_equal(event_testing_head(db, &me).seq, 1);
    assert_int_equal(event_testing_add(db, &me, "b"), 2);
}

/* Every third gives up. */
typedef struct Writer {
    const Uuid *user_id;
    int64_t seqs[EACH];
    size_t n;
} Writer;

static void *write_many(void *userdata) {
    Writer *writer = userdata;

    for (unsigned i = 0; i < EACH * 3 / 2; i++) {
        Change change = {.user_id = *writer->user_id,
                         .object_id = uuid_new(),
                         .version = 1,
                         .state = "a",
                         .result = i % 3 == 2 ? GIVES_UP : 0};
        assert_int_equal(event_testing_change(db, &change), change.result);
        if (change.result == 0) {
            writer->seqs[writer->n++] = change.seq;
        }
    }
    return NULL;
}

static void many_writers_leave_no_gap(void **state) {
    static bool seen[WRITERS * EACH + 1];
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Writer writers[WRITERS] = {0};
    pthread_t threads[WRITERS];
    Uuid me = uuid_new();
    Event *events;
    size_t n;

    (void)state;
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i].user_id = &me;
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].n, EACH);
        for (unsigned k = 0; k < EACH; k++) {
            int64_t seq = writers[i].seqs[k];
            assert_true(seq >= 1 && seq <= WRITERS * EACH && !seen[seq]);
            assert_true(k == 0 || seq > writers[i].seqs[k - 1]);
            seen[seq] = true;
        }
    }
    n = event_testing_read(db, &me, 0, arena, &events);
    assert_int_equal(n, WRITERS * EACH);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(events[i].seq, i + 1);
    }
}

/* What somebody who reads all along sees has no gap either: none is committed after a later one. */
static void *read_along(void *userdata) {
    const Uuid *user_id = userdata;
    int64_t read = 0;

    while (read < WRITERS * EACH) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        Event *events;
        size_t n = event_testing_read(db, user_id, read, arena, &events);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(events[i].seq, ++read);
        }
    }
    return NULL;
}

static void a_reader_meanwhile_misses_nothing(void **state) {
    Writer writers[WRITERS] = {0};
    pthread_t threads[WRITERS], reader;
    Uuid me = uuid_new();

    (void)state;
    assert_int_equal(pthread_create(&reader, NULL, read_along, &me), 0);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i].user_id = &me;
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_join(reader, NULL);
}

static int append_work(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();

    return event_log_append(tx, userdata, arena);
}

static void what_is_out_of_bounds_is_refused(void **state) {
    _cleanup_(freep) char *facts = malloc(EVENT_FACTS_MAX + 2);
    _cleanup_(freep) char *big = calloc(1, EVENT_SEALED_MAX + 1);
    const Event good = {.user_id = uuid_new(),
                        .topic = TOPIC,
                        .kind = "thing",
                        .object_id = uuid_new(),
                        .version = 1,
                        .facts = "",
                        .sealed = {big, EVENT_SEALED_MAX}};
    Event bad[9];

    (void)state;
    memset(facts, 'x', EVENT_FACTS_MAX + 1);
    facts[EVENT_FACTS_MAX + 1] = '\0';
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bad[i] = good;
    }
    bad[0].topic = "";
    bad[1].topic = "No";
    bad[2].topic = "a_name_of_more_than_forty_letters_is_too_long";
    bad[3].kind = "two words";
    bad[4].version = 0;
    bad[5].facts = facts;
    bad[6].sealed.len = EVENT_SEALED_MAX + 1;
    bad[7].removed = true;
    bad[8].kind = "";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(event_testing_write(db, append_work, &bad[i]), -EINVAL);
    }
    assert_int_equal(event_testing_head(db, &good.user_id).seq, 0);
    bad[0] = good;
    assert_int_equal(event_testing_write(db, append_work, &bad[0]), 0);
}

typedef struct Trimming {
    EventTrim trim;
    Arena *arena;
    EventTrimmed trimmed;
} Trimming;

static int trim_work(DbTx *tx, void *userdata) {
    Trimming *trimming = userdata;

    return event_log_trim(tx, &trimming->trim, trimming->arena, &trimming->trimmed);
}

/* All pages of `max`: what went in all. */
static size_t trim_all(EventTrim trim, Arena *arena, size_t *ret_n_forgotten, Uuid *ret_forgotten) {
    Trimming trimming = {.trim = trim, .arena = arena};
    size_t n = 0;

    *ret_n_forgotten = 0;
    do {
        assert_int_equal(event_testing_write(db, trim_work, &trimming), 0);
        trimming.trim.after = trimming.trimmed.next;
        n += trimming.trimmed.n;
        for (size_t i = 0; i < trimming.trimmed.n_forgotten; i++) {
            assert_string_equal(trimming.trimmed.forgotten[i].kind, "thing");
            ret_forgotten[(*ret_n_forgotten)++] = trimming.trimmed.forgotten[i].object_id;
        }
    } while (trimming.trimmed.next > 0);
    return n;
}

static void put(const Uuid *user_id, const Uuid *object_id, int64_t version, const char *text,
                int64_t at_us) {
    Change change = {*user_id, *object_id, version, text, at_us, 0, 0};

    assert_int_equal(event_testing_change(db, &change), 0);
}

/* A log: 1 a, 2 b, 3 a again, 4 b removed, 5 c, 6 c removed, 7 a, 8 d; the last three are young. */
static void make_log(const Uuid *me, Uuid objects[4], int64_t now_us) {
    int64_t old_us = now_us - 100 * DAY_US;

    for (unsigned i = 0; i < 4; i++) {
        objects[i] = uuid_new();
    }
    put(me, &objects[0], 1, "a1", old_us);
    put(me, &objects[1], 1, "b1", old_us + 1);
    put(me, &objects[0], 2, "a2", old_us + 2);
    put(me, &objects[1], 2, NULL, old_us + 3);
    put(me, &objects[2], 1, "c1", old_us + 4);
    put(me, &objects[2], 2, NULL, now_us - 3);
    put(me, &objects[0], 3, "a3", now_us - 2);
    put(me, &objects[3], 1, "d1", now_us - 1);
}

static void expect_seqs(const Uuid *me, const int64_t *seqs, size_t n) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Event *events;

    assert_int_equal(event_testing_read(db, me, 0, arena, &events), n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(events[i].seq, seqs[i]);
    }
}

static void what_is_superseded_goes_and_the_horizon_rises(void **state) {
    for (size_t max = 1; max <= 100; max *= 10) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        Uuid me = uuid_new(), objects[4], forgotten[8];
        int64_t now_us = clock_unix_us();
        EventTrim trim = {.user_id = me,
                          .topic = TOPIC,
                          .superseded_before_us = now_us - 90 * DAY_US,
                          .removed_before_us = INT64_MIN,
                          .max = max};
        size_t n_forgotten;
        make_log(&me, objects, now_us);
        assert_int_equal(trim_all(trim, arena, &n_forgotten, forgotten), 4);
        assert_int_equal(n_forgotten, 0);
        /* The tombstones and the last states are there; the young ones all. */
        expect_seqs(&me, (int64_t[]){4, 6, 7, 8}, 4);
        assert_int_equal(event_testing_head(db, &me).horizon, 5);
        assert_int_equal(event_testing_head(db, &me).seq, 8);
        assert_int_equal(trim_all(trim, arena, &n_forgotten, forgotten), 0);
        assert_int_equal(event_testing_head(db, &me).horizon, 5);
    }
    (void)state;
}

static void old_tombstones_go_and_are_told(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Uuid me = uuid_new(), objects[4], forgotten[8];
    int64_t now_us = clock_unix_us();
    EventTrim trim = {.user_id = me,
                      .topic = TOPIC,
                      .superseded_before_us = INT64_MIN,
                      .removed_before_us = now_us - 90 * DAY_US,
                      .max = 3};
    size_t n_forgotten;

    (void)state;
    make_log(&me, objects, now_us);
    /* What b was before would be its last event, so that it would be back. */
    assert_int_equal(trim_all(trim, arena, &n_forgotten, forgotten), 0);
    assert_int_equal(event_testing_head(db, &me).horizon, 0);
    trim.superseded_before_us = now_us - 90 * DAY_US;
    assert_int_equal(trim_all(trim, arena, &n_forgotten, forgotten), 5);
    assert_int_equal(n_forgotten, 1);
    assert_true(uuid_equal(&forgotten[0], &objects[1]));
    expect_seqs(&me, (int64_t[]){6, 7, 8}, 3);
    assert_int_equal(event_testing_head(db, &me).horizon, 5);
}

/* Nothing that a relay has not moved on, wherever that is. */
static int relayed_work(DbTx *tx, void *userdata) {
    static const DbStatement statement = {
        "contract_relayed", "INSERT INTO event_relayed (user_id, topic, seq) VALUES (?, ?, ?)", 3,
        0};

    return db_exec(tx, &statement, userdata, NULL);
}

static void what_is_not_relayed_stays(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Uuid me = uuid_new(), objects[4], forgotten[8];
    const DbValue relayed[] = {DB_BLOB(uuid_str(&me)), DB_TEXT(str_from(TOPIC)), DB_INT(2)};
    int64_t now_us = clock_unix_us();
    EventTrim trim = {.user_id = me,
                      .topic = TOPIC,
                      .superseded_before_us = now_us - 90 * DAY_US,
                      .removed_before_us = INT64_MIN,
                      .relays = true,
                      .max = 100};
    size_t n_forgotten;

    (void)state;
    make_log(&me, objects, now_us);
    assert_int_equal(trim_all(trim, arena, &n_forgotten, forgotten), 0);
    assert_int_equal(event_testing_write(db, relayed_work, (void *)relayed), 0);
    assert_int_equal(trim_all(trim, arena, &n_forgotten, forgotten), 2);
    expect_seqs(&me, (int64_t[]){3, 4, 5, 6, 7, 8}, 6);
    assert_int_equal(event_testing_head(db, &me).horizon, 2);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_begin_at_one_and_have_no_gap),
        cmocka_unit_test(an_event_comes_back_as_it_was),
        cmocka_unit_test(what_is_rolled_back_leaves_no_gap),
        cmocka_unit_test(many_writers_leave_no_gap),
        cmocka_unit_test(a_reader_meanwhile_misses_nothing),
        cmocka_unit_test(what_is_out_of_bounds_is_refused),
        cmocka_unit_test(what_is_superseded_goes_and_the_horizon_rises),
        cmocka_unit_test(old_tombstones_go_and_are_told),
        cmocka_unit_test(what_is_not_relayed_stays),
    };
    int failed;

    if (argc != 2 || event_testing_open(argv[1], &db) != 0) {
        fprintf(stderr, "usage: event_log_contract URL\n");
        return 2;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(db);
    return failed;
}
