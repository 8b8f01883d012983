/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Moves the event log to a sink, each user's events in order, at least once.
 *
 * Users are in EVENT_SHARDS shards. Of all processes one holds a shard at a time, by a lease in the
 * table event_relay. It reads the users that are marked (event_outbox), publishes what lies after
 * the place up to which their log is relayed (event_relayed), and only then moves that place; the
 * mark goes when nothing has been added meanwhile. The place is moved only while the lease is still
 * the mover's, in the same transaction: whoever was slow and has lost it changes nothing. So a
 * crash anywhere, or a process that stood still, repeats events and never loses or reorders any.
 *
 * One thread at a time; calls block.
 */

#include "base/metrics.h"
#include "core/ports/event_sink.h"

typedef struct EventRelay EventRelay;

typedef struct EventRelayOptions {
    Db *db; /* migrated; outlives the relay, as the others do */
    EventSink *sink;
    uint32_t lease_ms;       /* after which a process that died is replaced; 0: 30000 */
    int64_t (*now_us)(void); /* NULL: clock_unix_us() */
    Metrics *metrics;        /* or NULL */
} EventRelayOptions;

#define EVENT_RELAY_LEASE_MS_MIN 300

/* 0; -EINVAL for statements that the database does not take; or a fault of the database. */
int event_relay_new(const EventRelayOptions *options, EventRelay **ret_relay);

/*
 * Takes or keeps what shards it can have, and moves at most EVENT_SINK_MAX events, which it counts:
 * go on at once while there are some. A fault of the database or the sink changes nothing; try
 * again later.
 */
int event_relay_round(EventRelay *relay, size_t *ret_n);

/* Gives the shards up, if the database can be had. Accepts NULL. */
EventRelay *event_relay_free(EventRelay *relay);
DEFINE_CLEANUP(EventRelay *, event_relay_free)
