/* SPDX-License-Identifier: Apache-2.0 */

/* Subscriptions by log, and calling them; event_feed_poll.c finds out what others committed. */

#include "core/events/event_feed_private.h"

#include "base/clock.h"
#include "base/error.h"

#include <assert.h>
#include <search.h>

#define POLL_MS     20
#define BACKSTOP_MS 25000

static int compare(const void *a, const void *b) {
    const EventFeedLog *one = a, *two = b;
    int order = memcmp(one->user_id.bytes, two->user_id.bytes, sizeof(one->user_id.bytes));

    return order != 0 ? order : strcmp(one->topic, two->topic);
}

static EventFeedLog log_key(const Uuid *user_id, const char *topic) {
    EventFeedLog key = {.user_id = *user_id};
    size_t len = strlen(topic);

    assert(len <= EVENT_NAME_MAX);
    memcpy(key.topic, topic, MIN(len, (size_t)EVENT_NAME_MAX));
    return key;
}

/* With the lock. */
static EventFeedLog *find_log(const EventFeed *feed, const Uuid *user_id, const char *topic) {
    EventFeedLog key = log_key(user_id, topic);
    void *const *found = tfind(&key, &feed->logs, compare);

    return found ? *found : NULL;
}

/* With the lock. Made if need be. */
static EventFeedLog *get_log(EventFeed *feed, const Uuid *user_id, const char *topic) {
    EventFeedLog *log = find_log(feed, user_id, topic);

    if (!log) {
        log = malloc(sizeof(*log));
        if (!log) {
            abort();
        }
        *log = log_key(user_id, topic);
        if (!tsearch(log, &feed->logs, compare)) {
            abort();
        }
    }
    return log;
}

static void count(EventFeed *feed, int by) {
    feed->n_subscriptions += (size_t)by;
    if (feed->subscriptions) {
        metric_set(feed->subscriptions, (double)feed->n_subscriptions);
    }
}

EventSubscription *event_feed_subscribe(EventFeed *feed, const Uuid *user_id, const char *topic,
                                        int64_t seq_known, EventFeedCallback *callback,
                                        void *userdata) {
    EventSubscription *subscription = calloc(1, sizeof(*subscription));

    if (!subscription) {
        abort();
    }
    subscription->seq_known = seq_known;
    subscription->callback = callback;
    subscription->userdata = userdata;
    pthread_mutex_lock(&feed->lock);
    subscription->log = get_log(feed, user_id, topic);
    subscription->next = subscription->log->first;
    if (subscription->next) {
        subscription->next->previous = subscription;
    }
    subscription->log->first = subscription;
    count(feed, 1);
    buf_add(&feed->fresh, user_id, sizeof(*user_id));
    if (feed->n_subscriptions == 1) {
        pthread_cond_signal(&feed->wake);
    }
    pthread_mutex_unlock(&feed->lock);
    return subscription;
}

EventSubscription *event_feed_unsubscribe(EventFeed *feed, EventSubscription *subscription) {
    EventFeedLog *log;

    if (!subscription) {
        return NULL;
    }
    pthread_mutex_lock(&feed->lock);
    log = subscription->log;
    if (subscription->next) {
        subscription->next->previous = subscription->previous;
    }
    if (subscription->previous) {
        subscription->previous->next = subscription->next;
    } else {
        log->first = subscription->next;
    }
    if (!log->first) {
        tdelete(log, &feed->logs, compare);
        free(log);
    }
    count(feed, -1);
    pthread_mutex_unlock(&feed->lock);
    free(subscription);
    return NULL;
}

void event_feed_announce(EventFeed *feed, const Uuid *user_id, const char *topic, int64_t seq) {
    const EventFeedLog *log;

    pthread_mutex_lock(&feed->lock);
    log = find_log(feed, user_id, topic);
    for (EventSubscription *at = log ? log->first : NULL; at; at = at->next) {
        if (at->seq_known < seq) {
            at->seq_known = seq;
            at->callback(at->userdata, seq);
        }
    }
    pthread_mutex_unlock(&feed->lock);
}

static void add_user(const void *node, VISIT visit, void *userdata) {
    const EventFeedLog *log = *(EventFeedLog *const *)node;

    if (visit == postorder || visit == leaf) {
        buf_add(userdata, &log->user_id, sizeof(log->user_id));
    }
}

void event_feed_users(EventFeed *feed, Buf *out) {
    twalk_r(feed->logs, add_user, out);
}

static void register_metrics(EventFeed *feed, Metrics *metrics) {
    feed->subscriptions = metrics_gauge(metrics, "imagesync_event_feed_subscriptions", "",
                                        "Who waits for what happens to a user's things.");
    feed->failures = metrics_counter(metrics, "imagesync_event_feed_failures_total", "",
                                     "Times that the database could not be asked what happened.");
}

int event_feed_new(Db *db, const EventFeedOptions *options, EventFeed **ret_feed) {
    _cleanup_(event_feed_freep) EventFeed *feed = NULL;
    int r = event_feed_check(db);

    if (r < 0) {
        return err_trace(r);
    }
    feed = calloc(1, sizeof(*feed));
    if (!feed) {
        abort();
    }
    feed->db = db;
    feed->poll_ms = options->poll_ms ? options->poll_ms : POLL_MS;
    feed->backstop_ms = options->backstop_ms ? options->backstop_ms : BACKSTOP_MS;
    feed->now_us = options->now_us ? options->now_us : clock_unix_us;
    pthread_mutex_init(&feed->lock, NULL);
    pthread_cond_init(&feed->wake, NULL);
    if (options->metrics) {
        register_metrics(feed, options->metrics);
    }
    r = pthread_create(&feed->thread, NULL, event_feed_poll, feed);
    if (r != 0) {
        return err_trace(-r);
    }
    feed->started = true;
    *ret_feed = TAKE_PTR(feed);
    return 0;
}

EventFeed *event_feed_free(EventFeed *feed) {
    if (!feed) {
        return NULL;
    }
    if (feed->started) {
        pthread_mutex_lock(&feed->lock);
        feed->ending = true;
        pthread_cond_signal(&feed->wake);
        pthread_mutex_unlock(&feed->lock);
        pthread_join(feed->thread, NULL);
    }
    assert(feed->n_subscriptions == 0);
    buf_done(&feed->fresh);
    pthread_cond_destroy(&feed->wake);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
    return NULL;
}
