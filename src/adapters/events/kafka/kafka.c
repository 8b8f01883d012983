/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/events/kafka/kafka.h"

#include "adapters/events/kafka/address.h"
#include "adapters/events/kafka/settings.h"
#include "base/clock.h"
#include "base/crypto/tls.h"
#include "base/error.h"
#include "base/log.h"
#include "core/events/envelope.h"

#include <stdio.h>

#define POLL_MS 100
/* Before it, librdkafka sends a nonce that Kafka takes only until 3.9 (its pull request 4895). */
#define SCRAM_VERSION 0x02060100
#define AUTHENTICATION_TEXT                                                                        \
    "it refuses the user or the password: look at sasl.mechanism, sasl.username and "              \
    "sasl.password in the file that events-config names"
/* How long a producer that is thrown away may take to tell of what it had. */
#define FLUSH_MS 500

typedef struct EventsKafka {
    EventSink sink;
    Arena *arena; /* of the options and what they say */
    EventsKafkaOptions options;
    const char *servers, *prefix;
    uint32_t timeout_ms;
    rd_kafka_t *producer; /* NULL: to be made */
    size_t n_waiting;     /* of the events of this publish */
    rd_kafka_resp_err_t error;
    const char *reason; /* why a server was of no use since the producer was made, or NULL */
    atomic_int
        cert_refusal; /* of the last certificate that was refused; on the library's threads */
    Trouble trouble;
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

/* On the thread that publishes, in rd_kafka_poll(). The text is the library's, of what happened at
 * one server of several. */
static void on_error(rd_kafka_t *producer, int error, const char *text, void *opaque) {
    EventsKafka *self = opaque;
    int refusal = atomic_load(&self->cert_refusal);

    (void)producer;
    log_debug("kafka not reached", LOG_STR("error", text));
    if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
        self->reason = strstr(text, "SCRAM") && rd_kafka_version() < SCRAM_VERSION
                           ? AUTHENTICATION_TEXT "; by SCRAM this librdkafka, older than 2.6.1, is "
                                                 "refused by Kafka 4 whatever they are: take PLAIN "
                                                 "with TLS, or a newer library"
                           : AUTHENTICATION_TEXT;
    } else if (error == RD_KAFKA_RESP_ERR__SSL && refusal != 0) {
        self->reason = tls_refusal_text(refusal);
    } else if (error == RD_KAFKA_RESP_ERR__SSL || strstr(text, "security.protocol")) {
        self->reason = "it and we do not agree on TLS: look at security.protocol and the settings "
                       "that begin with ssl in the file that events-config names";
    }
}

/* Refuses what OpenSSL refuses, and notes why; on threads of the library. */
static int on_certificate(rd_kafka_t *producer, const char *name, int32_t id, int *x509_error,
                          int depth, const char *der, size_t size, char *error, size_t error_size,
                          void *opaque) {
    EventsKafka *self = opaque;

    (void)producer;
    (void)name;
    (void)id;
    (void)depth;
    (void)der;
    (void)size;
    if (*x509_error == 0) {
        return 1;
    }
    atomic_store(&self->cert_refusal, *x509_error);
    snprintf(error, error_size, "refused with %d", *x509_error);
    return 0;
}

/* -EINVAL with a sentence in the arena, or a fault of reading the file. */
static int make_producer(EventsKafka *self, Arena *arena, const char **reterr_text) {
    rd_kafka_conf_t *conf;
    char error[256];
    int r = kafka_settings_new(&self->options, self->servers, self->timeout_ms, arena, &conf,
                               reterr_text);

    if (r < 0) {
        return err_trace(r);
    }
    rd_kafka_conf_set_opaque(conf, self);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_ssl_cert_verify_cb(conf, on_certificate);
    rd_kafka_conf_set_log_cb(conf, NULL);
    self->reason = NULL;
    atomic_store(&self->cert_refusal, 0);
    self->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    if (!self->producer) {
        rd_kafka_conf_destroy(conf);
        log_debug("kafka's client refused", LOG_STR("error", error));
        *reterr_text = "Kafka's client cannot be set up so: look at trusted-certificates, the file "
                       "that events-config names, and the files named there";
        return err_trace(-EINVAL);
    }
    return 0;
}

static int remake_producer(EventsKafka *self) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *text;
    int r = make_producer(self, arena, &text);

    if (r < 0) {
        log_debug("kafka's settings refused", LOG_STR("error", text));
        trouble_set(&self->trouble, "its settings cannot be used any more: look at the file that "
                                    "events-config names and at the files named there");
    }
    return r;
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
    int r = self->producer ? 0 : remake_producer(self);

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
        rd_kafka_poll(self->producer, 0); /* what it has to say about it */
        r = self->reason ? -EACCES : r;
        throw_producer_away(self);
    }
    if (r == 0 || self->reason) {
        trouble_set(&self->trouble, r == 0 ? NULL : self->reason);
    }
    return err_trace(r);
}

static EventSink *kafka_free(EventSink *sink) {
    EventsKafka *self = (EventsKafka *)sink;

    throw_producer_away(self);
    arena_free(self->arena);
    free(self);
    return NULL;
}

static const EventSinkImpl impl = {.publish = kafka_publish, .free = kafka_free};

static const char *copy(Arena *arena, const char *text) {
    return arena_strdup(arena, str_from(text ? text : ""));
}

int events_kafka_new(const EventsKafkaOptions *options, Arena *arena, EventSink **ret_sink,
                     const char **reterr_text) {
    _cleanup_(event_sink_freep) EventSink *sink = NULL;
    EventsKafka *self = calloc(1, sizeof(*self));
    int r;

    if (!self) {
        abort();
    }
    self->sink.impl = &impl;
    sink = &self->sink;
    self->arena = arena_new();
    self->options = (EventsKafkaOptions){.config_file = copy(self->arena, options->config_file),
                                         .ca_file = copy(self->arena, options->ca_file)};
    self->trouble = (Trouble){.server = "kafka", .tell = options->tell};
    self->timeout_ms =
        options->timeout_ms > 0 ? MIN(options->timeout_ms, EVENT_SINK_MS_MAX) : EVENT_SINK_MS_MAX;
    r = kafka_address_parse(options->url, self->arena, &self->servers, &self->prefix, reterr_text);
    r = r < 0 ? r : make_producer(self, arena, reterr_text);
    if (r < 0) {
        return r;
    }
    *ret_sink = TAKE_PTR(sink);
    return 0;
}
