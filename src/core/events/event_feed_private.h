/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/events/event_feed.h"
#include "core/events/event_log.h"

#include <pthread.h>

struct EventSubscription {
    EventSubscription *next, *previous;
    struct EventFeedLog *log;
    int64_t seq_known;
    EventFeedCallback *callback;
    void *userdata;
};

/* One that somebody is subscribed to. */
typedef struct EventFeedLog {
    Uuid user_id;
    char topic[EVENT_NAME_MAX + 1];
    EventSubscription *first;
} EventFeedLog;

struct EventFeed {
    Db *db;
    uint32_t poll_ms, backstop_ms;
    int64_t (*now_us)(void);
    Metric *subscriptions, *failures; /* NULL: not measured */
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* all below */
    pthread_cond_t wake;
    void *logs; /* a tree of EventFeedLog; see tsearch(3) */
    size_t n_subscriptions;
    Buf fresh; /* Uuid: users whose head is to be looked at since somebody has subscribed */
    bool ending;
};

/* The thread, until `ending`. */
void *event_feed_poll(void *userdata);
/* With the lock: all users that somebody is subscribed to, as Uuid; some several times. */
void event_feed_users(EventFeed *feed, Buf *out);
/* 0 or a fault: see event_log_check(). */
int event_feed_check(Db *db);
