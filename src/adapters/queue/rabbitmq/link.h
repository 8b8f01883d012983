/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A connection to the broker, with a channel to publish on with confirms, one to consume on, and
 * the names of our queues. Used by one thread. Any fault but -EBADMSG: the connection is of no more
 * use.
 */

#include "adapters/queue/rabbitmq/message.h"
#include "base/crypto/tls.h"
#include "core/ports/trouble.h"

#define LINK_NAME_SIZE 128

typedef struct LinkOptions {
    const char *host, *user, *password, *vhost;
    int port;
    bool tls;
    TlsFiles files;
    Trouble *trouble;
    const char *prefix;
    unsigned shards;
    uint16_t prefetch;
    uint32_t timeout_ms;
} LinkOptions;

typedef struct Link {
    const LinkOptions *options;
    amqp_connection_state_t state;
    unsigned n_delays; /* bits: which of the delays are declared */
    uint64_t last_number;
} Link;

/* Connected, and the dead letter declared. -ETIMEDOUT, -ENOTCONN or -EACCES, which is told. */
int link_open(const LinkOptions *options, Link *ret_link);
void link_close(Link *link, bool politely);
int link_fd(const Link *link);

void link_queue_name(const LinkOptions *options, const char *kind, QueueLane lane, unsigned shard,
                     char ret_name[LINK_NAME_SIZE]);
void link_dead_name(const LinkOptions *options, char ret_name[LINK_NAME_SIZE]);

/* The queue of that lane and shard, made if need be, and how many lie in it that nobody has;
 * `ret_n` may be NULL. */
int link_declare(Link *link, const char *kind, QueueLane lane, unsigned shard, uint64_t *ret_n);
int link_declare_dead(Link *link, uint64_t *ret_n);
int link_consume(Link *link, const char *kind, QueueLane lane, unsigned shard);
/* What was sent before may still come. */
int link_cancel(Link *link, const char *kind, QueueLane lane, unsigned shard);

typedef enum LinkWay {
    LINK_TO_QUEUE, /* or by way of a delay, when it is too early */
    LINK_TO_DEAD,
} LinkWay;

/* Gives the number by which it is confirmed, counted from 1. */
int link_publish(Link *link, const Message *message, LinkWay way, int64_t now_us,
                 uint64_t *ret_number);
int link_ack(Link *link, uint64_t tag);
/* Back to where it was. */
int link_refuse(Link *link, uint64_t tag);

typedef enum LinkEventType {
    LINK_EVENT_NONE,
    LINK_EVENT_CONFIRMED, /* `number`, and all before it when `all_before` */
    LINK_EVENT_REFUSED,   /* the same */
    LINK_EVENT_RETURNED,  /* `number` has no queue; its confirmation follows */
    LINK_EVENT_MESSAGE,   /* the caller's to free; its tag is set */
    LINK_EVENT_FOREIGN,   /* `number`: the tag of a message that is none of ours */
} LinkEventType;

typedef struct LinkEvent {
    LinkEventType type;
    uint64_t number;
    bool all_before;
    Message *message;
} LinkEvent;

/* What has come; does not wait for anything to begin. */
int link_next(Link *link, LinkEvent *ret_event);

/* The next of a queue, unacknowledged, with its tag; NULL when there is none. -EBADMSG: a message
 * of somebody else's. */
int link_get(Link *link, const char *name, Message **ret_message);
/* Puts all that link_get() gave and was not acknowledged back where it was. */
int link_give_back(Link *link);
