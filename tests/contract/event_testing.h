/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the suites of the event log share. They run on the database of the URL in argv[1]; each test
 * has users of its own. */

#include "base/test.h"
#include "core/events/event_log.h"

#define TOPIC "contract"

/* Opened and migrated. 0, or a fault after having said why on standard error. */
int event_testing_open(const char *url, Db **ret_db);

/* Another transaction's conflict is no fault: tried again, as a service would have it done. */
int event_testing_write(Db *db, DbWork *work, void *userdata);

/* Version `version` of the object, in TOPIC; removed when `state` is NULL. Its number. */
typedef struct Change {
    Uuid user_id, object_id;
    int64_t version;
    const char *state;
    int64_t at_us; /* 0: now */
    int result;    /* what the transaction returns */
    int64_t seq;
} Change;
int event_testing_change(Db *db, Change *change);
/* The same of a new object, which must work. */
int64_t event_testing_add(Db *db, const Uuid *user_id, const char *state);

EventHead event_testing_head(Db *db, const Uuid *user_id);
/* All events after `after`, at most EVENT_READ_MAX. */
size_t event_testing_read(Db *db, const Uuid *user_id, int64_t after, Arena *arena,
                          Event **ret_events);
