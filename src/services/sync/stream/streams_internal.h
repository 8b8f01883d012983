/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A stream, and what its threads share. */

#include "core/events/event_feed.h"
#include "services/sync/stream/streams.h"

#include <pthread.h>

/* What may wait for a client that reads slowly; more than the largest change. */
#define STREAM_BUFFER_MAX ((size_t)640 << 10)

typedef struct ChangeStream {
    struct ChangeStream *next, *previous; /* with the lock: by the time of the heartbeat */
    ChangeStreams *streams;
    Uuid user_id;

    /* With the lock. */
    uint64_t beat_ms;     /* when it is due */
    bool working;         /* somebody works on it, or will: the owner of what follows the flags */
    bool hinted;          /* there may be more to send */
    bool due;             /* its heartbeat */
    bool gone;            /* its client has */
    bool blocked, listed; /* tried again soon; in the list */

    HttpStream *http;
    EventSubscription *subscription;
    int64_t seq; /* sent up to here */
    size_t credential_len;
    char credential[];
} ChangeStream;

struct ChangeStreams {
    SyncService *service;
    Executor *executor;
    pthread_t ticker;
    bool has_ticker;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    ChangeStream *first, *last;
    size_t n_blocked;
    bool stopping;
};

/* What is to be done for a stream; its working flag is the caller's. */
enum {
    STREAM_E_END = 1, /* its time is over */
    STREAM_E_FULL,    /* the client has not read what was sent before: again in a moment */
};

/* Sends what is new. 0, a condition, or a fault (again in a moment). */
int change_stream_send(ChangeStream *stream);
/* The heartbeat, if the credential is still good. 0 or STREAM_E_END. */
int change_stream_beat(ChangeStream *stream);
