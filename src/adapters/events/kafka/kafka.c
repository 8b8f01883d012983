/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/events/kafka/kafka.h"

#include "adapters/events/kafka/address.h"
#include "adapters/events/kafka/settings.h"
#include "base/clock.h"
#include "base/error.h"
#include "core/events/envelope.h"

#include <stdio.h>

#define POLL_MS 100
/* How long a producer that is thrown away may take to tell of what it had. */
#define FLUSH_MS 500

typedef struct EventsKafka {
    EventSink sink;
    Arena *arena;
    rd_kafka_conf_t *conf;
    rd_kafka_t *producer; /* NULL: to be made */
    const char *prefix;
    uint32_t timeout_ms;
    size_t n_waiting; /* of the events of this publish */
    rd_kafka_resp_err_t error;
} EventsKafka;

static int fault_of(rd_kafka_resp_err_t error) {
    switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return 0;
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        return -ETIMEDOUT;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        return -ENOTCONN;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        return -EACCES;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return -ENOENT;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return -EMSGSIZE;
    default:
        return -EIO;
    }
}

/* On the thread that publishes, in rd_kafka_poll() and rd_kafka_flush(). */
static void on_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
    EventsKafka *self = opaque;

    (void)producer;
    self->n_waiting--;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && self->error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        self->error = message->err;
    }
}

static int make_producer(EventsKafka *self) {
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(self->conf);
    char error[256];

    rd_kafka_conf_set_opaque(conf, self);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    rd_kafka_conf_set_log_cb(conf, NULL);
    self->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    if (!self->producer) {
        rd_kafka_conf_destroy(conf);
        return err_trace(-EIO);
    }
    return 0;
}

/* What it has sent may still be written; nothing else of it will be. */
static void throw_producer_away(EventsKafka *self) {
    if (self->producer) {
        rd_kafka_purge(self->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(self->producer, FLUSH_MS);
        rd_kafka_destroy(self->producer);
        self->producer = NULL;
    }
}

static rd_kafka_resp_err_t produce(EventsKafka *self, const Event *event, Buf *envelope) {
    char topic[256], key[UUID_TEXT_SIZE];
    rd_kafka_resp_err_t error;

    snprintf(topic, sizeof(topic), "%s.%s", self->prefix, event->topic);
    uuid_text(&event->user_id, key);
    envelope->len = 0;
    event_envelope_write(event, EVENTS_KAFKA_SIZE_MAX, envelope);
    error = rd_kafka_producev(self->producer, RD_KAFKA_V_TOPIC(topic),
                              RD_KAFKA_V_KEY(key, UUID_TEXT_SIZE - 1),
                              RD_KAFKA_V_VALUE(envelope->data, envelope->len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    self->n_waiting += error == RD_KAFKA_RESP_ERR_NO_ERROR;
    return error;
}

static int kafka_publish(EventSink *sink, const Event *events, size_t n) {
    EventsKafka *self = (EventsKafka *)sink;
    uint64_t until_ms = clock_mono_ms() + self->timeout_ms;
    _cleanup_(buf_done) Buf envelope = BUF_INIT;
    int r = self->producer ? 0 : make_producer(self);

    if (r < 0) {
        return r;
    }
    self->n_waiting = 0;
    self->error = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; i < n && self->error == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        rd_kafka_resp_err_t error = produce(self, &events[i], &envelope);
        rd_kafka_poll(self->producer, 0);
        self->error = error != RD_KAFKA_RESP_ERR_NO_ERROR ? error : self->error;
    }
    while (self->n_waiting > 0 && self->error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (clock_mono_ms() >= until_ms) {
            self->error = RD_KAFKA_RESP_ERR__TIMED_OUT;
        } else {
            rd_kafka_poll(self->producer, POLL_MS);
        }
    }
    if (self->error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        self->error = rd_kafka_fatal_error(self->producer, NULL, 0);
    }
    r = fault_of(self->error);
    if (r < 0) {
        throw_producer_away(self);
    }
    return err_trace(r);
}

static EventSink *kafka_free(EventSink *sink) {
    EventsKafka *self = (EventsKafka *)sink;

    throw_producer_away(self);
    if (self->conf) {
        rd_kafka_conf_destroy(self->conf);
    }
    arena_free(self->arena);
    free(self);
    return NULL;
}

static const EventSinkImpl impl = {.publish = kafka_publish, .free = kafka_free};

int events_kafka_new(const EventsKafkaOptions *options, Arena *arena, EventSink **ret_sink,
                     const char **reterr_text) {
    _cleanup_(event_sink_freep) EventSink *sink = NULL;
    EventsKafka *self = calloc(1, sizeof(*self));
    const char *servers;
    int r;

    if (!self) {
        abort();
    }
    self->sink.impl = &impl;
    sink = &self->sink;
    self->arena = arena_new();
    self->timeout_ms =
        options->timeout_ms > 0 ? MIN(options->timeout_ms, EVENT_SINK_MS_MAX) : EVENT_SINK_MS_MAX;
    r = kafka_address_parse(options->url, self->arena, &servers, &self->prefix, reterr_text);
    if (r < 0) {
        return r;
    }
    r = kafka_settings_new(servers, options->config_file, self->timeout_ms, arena, &self->conf,
                           reterr_text);
    if (r < 0) {
        return r;
    }
    *ret_sink = TAKE_PTR(sink);
    return 0;
}
