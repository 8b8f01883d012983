/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The event log: what happened to a user's things, written in the transaction that does it, so that
 * neither is there without the other. Each user has one log a topic, numbered 1, 2, 3 ... without a
 * gap: two transactions that write to it wait for each other (or one is run again), so whoever has
 * read up to a number has missed nothing before it.
 *
 * An event carries the whole new state of the object it is about, or says that it is no more. So
 * whoever has the last event of each object has everything, and applying one twice is harmless.
 * What the state says of a person is sealed by its writer; the log does not look into it.
 *
 * Calls run in a transaction of the caller's.
 */

#include "base/uuid.h"
#include "core/erasure/erased_table.h"

#define EVENT_SEALED_MAX ((size_t)1 << 20)
#define EVENT_FACTS_MAX  4096
#define EVENT_NAME_MAX   40 /* of topics and kinds */
#define EVENT_READ_MAX   1000
#define EVENT_SHARDS     16

typedef struct Event {
    Uuid user_id;
    const char *topic; /* 1 to EVENT_NAME_MAX of [a-z_] */
    int64_t seq;       /* event_log_append() sets it */
    const char *kind;  /* likewise */
    Uuid object_id;
    int64_t version; /* the object's, from 1 on */
    bool removed;
    Uuid device_id; /* nil: the service's own */
    int64_t at_us;
    const char *facts; /* a JSON object for whoever counts, or "": see the table */
    Str sealed;        /* at most EVENT_SEALED_MAX; empty when removed */
} Event;

typedef struct EventHead {
    int64_t seq;     /* 0: nothing has happened yet */
    int64_t horizon; /* events up to this one may have been removed */
    int64_t changed_us;
} EventHead;

/* Prepares the statements: as db_check(), with the name of a wrong one. */
int event_log_check(Db *db, const char **reterr_name);

/* The next of its user and topic: sets event->seq. 0; -EINVAL beyond the bounds; or a fault. */
int event_log_append(DbTx *tx, Event *event, Arena *arena);

/* All zero when there is none. */
int event_log_head(DbTx *tx, const Uuid *user_id, const char *topic, Arena *arena,
                   EventHead *ret_head);

/* In order those after `after`, at most `max` (1 to EVENT_READ_MAX), in the arena. That nothing
 * was removed between `after` and the first is the caller's to compare with the horizon. */
int event_log_read(DbTx *tx, const Uuid *user_id, const char *topic, int64_t after, size_t max,
                   Arena *arena, Event **ret_events, size_t *ret_n);

/* The number of an object's last event; 0: it has none. 0 or a fault. */
int event_log_last(DbTx *tx, const Uuid *user_id, const char *topic, const char *kind,
                   const Uuid *object_id, Arena *arena, int64_t *ret_seq);

/*
 * What may go, once it is old: an event whose object has a later one, since the state that it
 * carries is past; and a tombstone, the last event of an object that is no more, once all before it
 * have gone. The last event of each object that is there always stays, so the log still comes to
 * the same: whoever keeps more of removed objects than their absence has to drop it with the
 * tombstone.
 *
 * The horizon rises to the last event that went. Whoever has read less far cannot know what he
 * missed, and begins anew with all that is there now.
 */
typedef struct EventTrim {
    Uuid user_id;
    const char *topic;
    int64_t superseded_before_us; /* at_us; INT64_MIN: keep all */
    int64_t removed_before_us;    /* the same, for tombstones */
    bool relays;                  /* events are relayed (relay.h): what is not relayed yet stays */
    int64_t after;                /* where the last call got to; at first 0 */
    size_t max; /* 1 to EVENT_READ_MAX events are looked at, so that a transaction is short */
} EventTrim;

/* An object whose tombstone went. */
typedef struct EventForgotten {
    const char *kind;
    Uuid object_id;
} EventForgotten;

typedef struct EventTrimmed {
    size_t n; /* events that went */
    EventForgotten *forgotten;
    size_t n_forgotten;
    int64_t next; /* `after` of the next call; 0: what follows is too young, or there is nothing */
} EventTrimmed;

/* Strings are in the arena. 0, -EINVAL beyond the bounds, or a fault. */
int event_log_trim(DbTx *tx, const EventTrim *trim, Arena *arena, EventTrimmed *ret_trimmed);

/* Where a user's logs are, of all topics: for whoever erases them. What is to be relayed is the
 * first to go, and a log its head before its events, so that nobody goes on with it. */
extern const ErasedTable event_log_tables[];
extern const size_t event_log_tables_len;

/* In which of the EVENT_SHARDS the user is. */
unsigned event_shard(const Uuid *user_id);
