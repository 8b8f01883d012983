/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Events into Kafka (2.1 or newer) through librdkafka: the topic PREFIX.TOPIC, the user's id in
 * text as the key, so that a user's events are in one partition, and the envelope of
 * core/events/envelope.h as the value. An idempotent producer, acknowledged by all replicas in
 * sync: what it has written of a partition is always the beginning of what it was given.
 * After a fault it is thrown away, and the next call makes another, of what the files of settings
 * and certificates hold by then.
 */

#include "core/ports/event_sink.h"
#include "core/ports/trouble.h"

/* What a broker takes by default (message.max.bytes), with room for headers. */
#define EVENTS_KAFKA_SIZE_MAX ((size_t)900000)

typedef struct EventsKafkaOptions {
    const char *url;         /* kafka://HOST:PORT[,HOST:PORT...]/PREFIX */
    const char *config_file; /* lines "name = value" of librdkafka's settings, such as those of TLS
                                and SASL; '#' begins a comment. "" or NULL: none */
    const char *ca_file;     /* PEM: who is trusted, if the settings do not say it; "" or NULL: the
                                system's authorities */
    TroubleFn *tell;         /* or NULL */
    uint32_t timeout_ms;     /* of a publish; 0, or more than EVENT_SINK_MS_MAX: that */
} EventsKafkaOptions;

/* Does not wait for the broker. 0; or -EINVAL, or a fault of reading the file, with a sentence
 * without secrets, in the arena. */
int events_kafka_new(const EventsKafkaOptions *options, Arena *arena, EventSink **ret_sink,
                     const char **reterr_text);
