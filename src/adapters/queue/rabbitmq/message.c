/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/queue/rabbitmq/message.h"

#include "base/error.h"

#include <stdio.h>

Message *message_new(const QueueJob *job) {
    Message *message = calloc(1, sizeof(*message) + job->payload.len);

    if (!message) {
        abort();
    }
    message->job = *job;
    memcpy(message->kind, job->kind, strlen(job->kind) + 1);
    if (job->payload.len > 0) {
        memcpy(message->payload, job->payload.ptr, job->payload.len);
    }
    message->job.kind = message->kind;
    message->job.payload.ptr = message->payload;
    return message;
}

Message *message_free(Message *message) {
    free(message);
    return NULL;
}

static amqp_table_entry_t text(const char *key, const char *value) {
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)}};
}

static amqp_table_entry_t number_of(const char *key, int64_t value) {
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = value}};
}

void message_write(const Message *message, uint64_t number, MessageWire *wire) {
    int n = 0;

    uuid_text(&message->job.id, wire->id);
    uuid_text(&message->job.user_id, wire->user_id);
    snprintf(wire->number, sizeof(wire->number), "%llu", (unsigned long long)number);
    wire->headers[n++] = text("user", wire->user_id);
    wire->headers[n++] = text("kind", message->kind);
    wire->headers[n++] = number_of("lane", message->job.lane);
    wire->headers[n++] = number_of("shard", message->shard);
    wire->headers[n++] = number_of("put_us", message->put_us);
    wire->headers[n++] = number_of("not_before_us", message->job.not_before_us);
    wire->headers[n++] = number_of("attempts", message->attempts);
    if (message->died_us > 0) {
        wire->headers[n++] = number_of("died_us", message->died_us);
        wire->headers[n++] = text("reason", message->reason);
    }
    wire->properties = (amqp_basic_properties_t){
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                  AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .message_id = amqp_cstring_bytes(wire->id),
        .correlation_id = amqp_cstring_bytes(wire->number),
        .headers = {.num_entries = n, .entries = wire->headers},
    };
}

static Str str_of(amqp_bytes_t bytes) {
    return (Str){bytes.bytes, bytes.len};
}

static const amqp_field_value_t *find(const amqp_message_t *wire, const char *key) {
    const amqp_table_t *headers = &wire->properties.headers;

    for (int i = 0; i < headers->num_entries; i++) {
        if (str_equal(str_of(headers->entries[i].key), str_from(key))) {
            return &headers->entries[i].value;
        }
    }
    return NULL;
}

/* The broker chooses the width of its own numbers. */
static int64_t read_number(const amqp_message_t *wire, const char *key, int64_t missing) {
    const amqp_field_value_t *value = find(wire, key);

    switch (value ? value->kind : 0) {
    case AMQP_FIELD_KIND_I8:
        return value->value.i8;
    case AMQP_FIELD_KIND_U8:
        return value->value.u8;
    case AMQP_FIELD_KIND_I16:
        return value->value.i16;
    case AMQP_FIELD_KIND_U16:
        return value->value.u16;
    case AMQP_FIELD_KIND_I32:
        return value->value.i32;
    case AMQP_FIELD_KIND_U32:
        return value->value.u32;
    case AMQP_FIELD_KIND_I64:
        return value->value.i64;
    default:
        return missing;
    }
}

static Str read_text(const amqp_message_t *wire, const char *key) {
    const amqp_field_value_t *value = find(wire, key);

    return value && value->kind == AMQP_FIELD_KIND_UTF8 ? str_of(value->value.bytes) : (Str){0};
}

int message_read(const amqp_message_t *wire, Message **ret_message) {
    char kind[QUEUE_KIND_LEN_MAX + 1] = "";
    Str name = read_text(wire, "kind"), reason = read_text(wire, "reason");
    int64_t lane = read_number(wire, "lane", -1), shard = read_number(wire, "shard", 0);
    QueueJob job = {.kind = kind, .lane = (QueueLane)lane, .payload = str_of(wire->body)};
    Message *message;

    if (!(wire->properties._flags & AMQP_BASIC_HEADERS_FLAG) ||
        !(wire->properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) ||
        uuid_parse(str_of(wire->properties.message_id), &job.id) < 0 ||
        uuid_parse(read_text(wire, "user"), &job.user_id) < 0 || name.len == 0 ||
        name.len > QUEUE_KIND_LEN_MAX || lane < 0 || lane >= _QUEUE_LANE_MAX || shard < 0 ||
        shard > UINT8_MAX || job.payload.len > QUEUE_PAYLOAD_LEN_MAX) {
        return err_trace(-EBADMSG);
    }
    memcpy(kind, name.ptr, name.len);
    job.not_before_us = MAX(read_number(wire, "not_before_us", 0), 0);
    message = message_new(&job);
    message->shard = (unsigned)shard;
    message->put_us = read_number(wire, "put_us", 0);
    message->died_us = read_number(wire, "died_us", 0);
    message->attempts = (unsigned)CLAMP(read_number(wire, "attempts", 0), 0, 1000000);
    message->redelivered = (unsigned)CLAMP(read_number(wire, "x-delivery-count", 0), 0, 1000000);
    if (reason.len > 0 && reason.len <= QUEUE_REASON_LEN_MAX) {
        memcpy(message->reason, reason.ptr, reason.len);
    }
    *ret_message = message;
    return 0;
}
