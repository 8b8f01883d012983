/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who wants to know that a user's log of a topic has grown: thousands of subscribers in a process,
 * and one thread that looks for all of them.
 *
 * What this process commits it announces, and subscribers hear of it at once. What others commit
 * the thread finds within `poll_ms` or so, by asking which logs changed lately. It looks a little
 * further back than the last time, as transactions do not commit in the order in which they read
 * the clock; every two seconds much further, as other machines' clocks differ; and every
 * `backstop_ms` at the head of each log that somebody is subscribed to, whatever any clock says.
 *
 * A call is a hint. Whoever gets it reads the log from where it has got to; so a hint too many does
 * no harm, and one that is late delays.
 */

#include "base/metrics.h"
#include "base/uuid.h"
#include "core/ports/db.h"

typedef struct EventFeed EventFeed;
typedef struct EventSubscription EventSubscription;

typedef struct EventFeedOptions {
    uint32_t poll_ms;        /* 0: 20 */
    uint32_t backstop_ms;    /* 0: 25000 */
    int64_t (*now_us)(void); /* NULL: clock_unix_us() */
    Metrics *metrics;        /* outlives the feed; or NULL */
} EventFeedOptions;

/*
 * The log goes up to `seq` by now. Called on the feed's thread or on one that announces, with the
 * feed locked: it does not wait and does not call the feed, but notes it and has somebody else read
 * (executor_submit(), http_stream_write()). A lock that it takes must not be held by anybody who
 * calls the feed.
 */
typedef void EventFeedCallback(void *userdata, int64_t seq);

/* `db` outlives it. 0; -EINVAL for statements that the database does not take; or a fault. */
int event_feed_new(Db *db, const EventFeedOptions *options, EventFeed **ret_feed);

/* There are no subscriptions any more. Accepts NULL. */
EventFeed *event_feed_free(EventFeed *feed);
DEFINE_CLEANUP(EventFeed *, event_feed_free)

/*
 * Calls back, from now on until event_feed_unsubscribe(), whenever the log goes further than any
 * call before said and than `seq_known`, up to where the subscriber has read. What was committed
 * between that reading and this call is found as well. `topic` is one of event_log_append()'s,
 * copied. Aborts when memory is exhausted. Thread-safe, as are all below.
 */
EventSubscription *event_feed_subscribe(EventFeed *feed, const Uuid *user_id, const char *topic,
                                        int64_t seq_known, EventFeedCallback *callback,
                                        void *userdata);

/* When it returns the callback does not run and is not called any more. Accepts NULL. */
EventSubscription *event_feed_unsubscribe(EventFeed *feed, EventSubscription *subscription);

/* After this process committed the event `seq`. */
void event_feed_announce(EventFeed *feed, const Uuid *user_id, const char *topic, int64_t seq);
