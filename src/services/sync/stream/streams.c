/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/stream/streams_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wait.h"

#define THREADS    4
#define WAITING    100000 /* more streams than a process has connections */
#define TICK_MS    500
#define AGAIN_MS   50 /* until a stream that is full is looked at again */
#define RETRY_TEXT "retry: 1000\n\n"

static void unlist(ChangeStream *stream) {
    ChangeStreams *streams = stream->streams;

    *(stream->previous ? &stream->previous->next : &streams->first) = stream->next;
    *(stream->next ? &stream->next->previous : &streams->last) = stream->previous;
    stream->next = stream->previous = NULL;
    stream->listed = false;
}

static void list(ChangeStream *stream) {
    ChangeStreams *streams = stream->streams;

    stream->previous = streams->last;
    stream->next = NULL;
    *(streams->last ? &streams->last->next : &streams->first) = stream;
    streams->last = stream;
    stream->listed = true;
}

/* By whoever owns its working flag, without the lock; nobody else knows it any more. */
static void finish(ChangeStream *stream) {
    ChangeStreams *streams = stream->streams;

    pthread_mutex_lock(&streams->lock);
    streams->n_blocked -= stream->blocked;
    if (stream->listed) {
        unlist(stream);
    }
    pthread_mutex_unlock(&streams->lock);
    event_feed_unsubscribe(streams->service->feed, stream->subscription);
    http_stream_end(stream->http);
    free(stream);
}

static void work(void *userdata, bool cancelled);

/* With the lock: has somebody work on it. After the executor's end, change_streams_stop() does. */
static void wake(ChangeStream *stream) {
    if (!stream->working && executor_submit(stream->streams->executor, work, stream) == 0) {
        stream->working = true;
    }
}

/* One thing after another until there is nothing to do. */
static void work(void *userdata, bool cancelled) {
    ChangeStream *stream = userdata;
    ChangeStreams *streams = stream->streams;
    int r = 0;

    for (;;) {
        bool due, gone;
        pthread_mutex_lock(&streams->lock);
        if (stream->blocked != (r == STREAM_E_FULL || r < 0)) {
            stream->blocked = !stream->blocked;
            streams->n_blocked += stream->blocked ? 1 : (size_t)-1;
            pthread_cond_signal(&streams->wake);
        }
        due = stream->due;
        gone = stream->gone || r == STREAM_E_END;
        if (cancelled || (!gone && !due && !stream->hinted)) {
            stream->working = false;
            pthread_mutex_unlock(&streams->lock);
            return;
        }
        stream->due = stream->hinted = false;
        pthread_mutex_unlock(&streams->lock);
        if (gone) {
            finish(stream);
            return;
        }
        r = due ? change_stream_beat(stream) : 0;
        r = r == 0 ? change_stream_send(stream) : r;
    }
}

/* The feed's hint. */
static void on_growth(void *userdata, int64_t seq) {
    ChangeStream *stream = userdata;

    (void)seq;
    pthread_mutex_lock(&stream->streams->lock);
    stream->hinted = true;
    wake(stream);
    pthread_mutex_unlock(&stream->streams->lock);
}

static void on_gone(void *userdata) {
    ChangeStream *stream = userdata;

    pthread_mutex_lock(&stream->streams->lock);
    stream->gone = true;
    wake(stream);
    pthread_mutex_unlock(&stream->streams->lock);
}

static uint64_t beat_period_ms(const ChangeStreams *streams) {
    return streams->service->options.settings->stream_heartbeat_s * 1000;
}

static void tick(ChangeStreams *streams) {
    uint64_t now_ms = clock_mono_ms();

    while (streams->first && streams->first->beat_ms <= now_ms) {
        ChangeStream *stream = streams->first;
        unlist(stream);
        list(stream);
        stream->beat_ms = now_ms + beat_period_ms(streams);
        stream->due = true;
        wake(stream);
    }
    for (ChangeStream *stream = streams->first; stream && streams->n_blocked > 0;
         stream = stream->next) {
        if (stream->blocked) {
            stream->hinted = true;
            wake(stream);
        }
    }
}

static void *run_ticker(void *userdata) {
    ChangeStreams *streams = userdata;

    pthread_setname_np(pthread_self(), "streams-tick");
    pthread_mutex_lock(&streams->lock);
    while (!streams->stopping) {
        uint64_t wait_ms = streams->n_blocked > 0 ? AGAIN_MS : TICK_MS;
        wait_until(&streams->wake, &streams->lock, clock_mono_ms() + wait_ms);
        tick(streams);
    }
    pthread_mutex_unlock(&streams->lock);
    return NULL;
}

int change_streams_new(SyncService *service, ChangeStreams **ret_streams) {
    ChangeStreams *streams = calloc(1, sizeof(*streams));
    int r;

    if (!streams) {
        abort();
    }
    streams->service = service;
    pthread_mutex_init(&streams->lock, NULL);
    pthread_cond_init(&streams->wake, NULL);
    r = executor_new(&(ExecutorOptions){.name = "streams",
                                        .threads = THREADS,
                                        .queue_max = WAITING,
                                        .metrics = service->options.metrics},
                     &streams->executor);
    if (r == 0) {
        r = -pthread_create(&streams->ticker, NULL, run_ticker, streams);
        streams->has_ticker = r == 0;
    }
    if (r < 0) {
        change_streams_stop(streams);
        change_streams_free(streams);
        return err_trace(r);
    }
    *ret_streams = streams;
    return 0;
}

void change_streams_stop(ChangeStreams *streams) {
    bool had_ticker;

    pthread_mutex_lock(&streams->lock);
    streams->stopping = true;
    had_ticker = streams->has_ticker;
    streams->has_ticker = false;
    pthread_cond_signal(&streams->wake);
    pthread_mutex_unlock(&streams->lock);
    if (had_ticker) {
        pthread_join(streams->ticker, NULL);
    }
    if (streams->executor) {
        executor_drain(streams->executor, UINT32_MAX);
    }
    /* Nobody works on any of them now, and nobody will. */
    for (;;) {
        pthread_mutex_lock(&streams->lock);
        ChangeStream *stream = streams->first;
        if (stream) {
            unlist(stream);
        }
        pthread_mutex_unlock(&streams->lock);
        if (!stream) {
            return;
        }
        finish(stream);
    }
}

ChangeStreams *change_streams_free(ChangeStreams *streams) {
    if (streams) {
        executor_free(streams->executor);
        pthread_cond_destroy(&streams->wake);
        pthread_mutex_destroy(&streams->lock);
        free(streams);
    }
    return NULL;
}

static ChangeStream *stream_new(ChangeStreams *streams, const Uuid *user_id, Str credential,
                                int64_t since) {
    ChangeStream *stream = calloc(1, sizeof(*stream) + credential.len);

    if (!stream) {
        abort();
    }
    stream->streams = streams;
    stream->user_id = *user_id;
    stream->seq = since;
    stream->beat_ms = clock_mono_ms() + beat_period_ms(streams);
    stream->working = true; /* ours, until it is complete */
    stream->hinted = true;  /* what was missed comes first */
    stream->credential_len = credential.len;
    memcpy(stream->credential, credential.ptr, credential.len);
    return stream;
}

void change_streams_add(ChangeStreams *streams, HttpRequest *request, const Uuid *user_id,
                        Str credential, int64_t since) {
    static const HttpHeader headers[] = {{"Cache-Control", "no-store"}, {0}};
    static const HttpResponse head = {
        .status = 200, .content_type = "text/event-stream", .headers = headers};
    ChangeStream *stream = stream_new(streams, user_id, credential, since);
    bool stopping;
    int r;

    stream->http = http_respond_stream(request, &head, STREAM_BUFFER_MAX, on_gone, stream);
    r = http_stream_write(stream->http, str_lit(RETRY_TEXT));
    stream->subscription =
        event_feed_subscribe(streams->service->feed, user_id, SYNC_TOPIC, since, on_growth, stream);
    pthread_mutex_lock(&streams->lock);
    stopping = streams->stopping;
    if (!stopping) {
        stream->gone = stream->gone || r == -EPIPE;
        list(stream);
        stream->working = false;
        wake(stream);
    }
    pthread_mutex_unlock(&streams->lock);
    if (stopping) {
        finish(stream);
    }
}
