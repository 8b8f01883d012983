/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A job as it travels: the payload is the body, the rest stands in properties and headers. */

#include "core/ports/queue.h"

#include <amqp.h>

typedef struct Message {
    struct Message *next;
    QueueJob job; /* kind and payload lie in here */
    char kind[QUEUE_KIND_LEN_MAX + 1];
    unsigned shard;
    int64_t put_us, died_us;
    unsigned attempts; /* that failed or lapsed; what was lost with its process is not among them */
    unsigned redelivered;
    uint64_t tag; /* of the delivery */
    char reason[QUEUE_REASON_LEN_MAX + 1];
    char payload[];
} Message;

/* A copy of the job. Aborts when memory is exhausted. */
Message *message_new(const QueueJob *job);
Message *message_free(Message *message); /* accepts NULL */
DEFINE_CLEANUP(Message *, message_free)

#define MESSAGE_HEADERS 9
/* What the properties point to. */
typedef struct MessageWire {
    amqp_basic_properties_t properties;
    amqp_table_entry_t headers[MESSAGE_HEADERS];
    char id[UUID_TEXT_SIZE], user_id[UUID_TEXT_SIZE], number[24];
} MessageWire;

/* `number` comes back with what cannot be delivered. */
void message_write(const Message *message, uint64_t number, MessageWire *wire);
/* 0, or -EBADMSG for what is none of ours. */
int message_read(const amqp_message_t *wire, Message **ret_message);
