/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/events/relay.h"

/* A user and topic. */
typedef struct RelayPlace {
    Uuid user_id;
    char topic[EVENT_NAME_MAX + 1];
} RelayPlace;

/* One that has something to move, and what of it is in a batch. */
typedef struct RelayEntry {
    unsigned shard;
    RelayPlace place;
    int64_t relayed; /* the last that is */
    int64_t head;    /* the last that there is */
    int64_t to;      /* where it is relayed to once the batch is published */
} RelayEntry;

/* Users of a shard that are looked at in a batch. */
#define RELAY_USERS_MAX 64

typedef struct RelayBatch {
    Arena *arena;
    RelayEntry entries[EVENT_SHARDS * RELAY_USERS_MAX];
    size_t n_entries;
    size_t n_marked[EVENT_SHARDS]; /* users that were read, of whom not all may be in `entries` */
    Event events[EVENT_SINK_MAX];
    size_t n_events;
} RelayBatch;

struct EventRelay {
    Db *db;
    EventSink *sink;
    uint32_t lease_ms;
    int64_t (*now_us)(void);
    char holder[UUID_TEXT_SIZE];
    Metric *relayed, *failures, *lag_s, *shards; /* NULL: not measured */
    uint32_t held;                               /* bits: shards */
    uint64_t leased_ms;                          /* clock_mono_ms() before it asked for them */
    unsigned first_shard;                        /* of the next batch */
    RelayPlace passed[EVENT_SHARDS];             /* the last that a batch had; "" at the start */
    int64_t oldest_us;                           /* of what is not relayed; 0: there is nothing */
    uint64_t looked_ms;                          /* clock_mono_ms() of the last look at that */
    RelayBatch batch;
};

/* relay_lease.c. All shards that nobody holds become ours, and ours stay so. */
int relay_lease_take(EventRelay *relay);
void relay_lease_give(EventRelay *relay);
/* In the transaction that moves: DB_E_NONE when the shard is another's by now. */
int relay_lease_keep(EventRelay *relay, DbTx *tx, unsigned shard);
int relay_lease_check(Db *db);

/* relay_batch.c. The next, of the shards held; DbWork. */
int relay_batch_read(DbTx *tx, void *userdata);
/* What is not relayed and how old it is; DbWork. */
int relay_batch_oldest(DbTx *tx, void *userdata);
/* After it was published; DbWork. */
int relay_batch_move(DbTx *tx, void *userdata);
int relay_batch_check(Db *db);
