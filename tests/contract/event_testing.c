/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/event_testing.h"

#include "adapters/db/migrations.h"
#include "base/clock.h"
#include "db_testing.h"

#include <errno.h>
#include <stdio.h>

#define TRIES_MAX 200

int event_testing_open(const char *url, Db **ret_db) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(db_freep) Db *db = NULL;
    const char *error = "";
    size_t n;
    int r = db_engine_open(url, &db);

    if (r == 0) {
        r = migrations_up(db, migrations_embedded, 0, arena, &n, &error);
    }
    if (r == 0) {
        r = event_log_check(db, &error);
    }
    if (r != 0) {
        fprintf(stderr, "%s: %s (%d)\n", url, error, r);
        return r;
    }
    *ret_db = TAKE_PTR(db);
    return 0;
}

int event_testing_write(Db *db, DbWork *work, void *userdata) {
    int r = -EBUSY;

    for (unsigned i = 0; i < TRIES_MAX && r == -EBUSY; i++) {
        r = db_write(db, work, userdata, NULL);
    }
    return r;
}

static int change_work(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Change *change = userdata;
    Event event = {.user_id = change->user_id,
                   .topic = TOPIC,
                   .kind = "thing",
                   .object_id = change->object_id,
                   .version = change->version,
                   .removed = !change->state,
                   .at_us = change->at_us ? change->at_us : clock_unix_us(),
                   .facts = "{\"n\":1}",
                   .sealed = change->state ? str_from(change->state) : str_lit("")};
    int r = event_log_append(tx, &event, arena);

    change->seq = event.seq;
    return r < 0 ? r : change->result;
}

int event_testing_change(Db *db, Change *change) {
    return event_testing_write(db, change_work, change);
}

int64_t event_testing_add(Db *db, const Uuid *user_id, const char *state) {
    Change change = {.user_id = *user_id, .object_id = uuid_new(), .version = 1, .state = state};

    assert_int_equal(event_testing_change(db, &change), 0);
    return change.seq;
}

typedef struct Reading {
    const Uuid *user_id;
    int64_t after;
    Arena *arena;
    EventHead head;
    Event *events;
    size_t n;
} Reading;

static int read_work(DbTx *tx, void *userdata) {
    Reading *reading = userdata;
    int r = event_log_head(tx, reading->user_id, TOPIC, reading->arena, &reading->head);

    return r < 0 ? r
                 : event_log_read(tx, reading->user_id, TOPIC, reading->after, EVENT_READ_MAX,
                                  reading->arena, &reading->events, &reading->n);
}

static void read_log(Db *db, Reading *reading) {
    int r = -EBUSY;

    for (unsigned i = 0; i < TRIES_MAX && r == -EBUSY; i++) {
        r = db_read(db, NULL, read_work, reading);
    }
    assert_int_equal(r, 0);
}

EventHead event_testing_head(Db *db, const Uuid *user_id) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Reading reading = {.user_id = user_id, .arena = arena};

    read_log(db, &reading);
    return reading.head;
}

size_t event_testing_read(Db *db, const Uuid *user_id, int64_t after, Arena *arena,
                          Event **ret_events) {
    Reading reading = {.user_id = user_id, .after = after, .arena = arena};

    read_log(db, &reading);
    *ret_events = reading.events;
    return reading.n;
}
