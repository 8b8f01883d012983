/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "adapters/queue/rabbitmq/bursts.h"
#include "adapters/queue/rabbitmq/link.h"
#include "adapters/queue/rabbitmq/rabbitmq.h"
#include "adapters/queue/waiters.h"

#include <stdatomic.h>

/* Messages of one queue of the broker's that came ahead of a worker. */
typedef struct Buffer {
    Message *first, *last;
    uint64_t served; /* when one was taken last, counted in takes */
} Buffer;

/* What this process puts or takes. */
typedef struct Kind {
    struct Kind *next;
    char name[QUEUE_KIND_LEN_MAX + 1];
    bool wanted, consumed;
    uint64_t asked_ms;                  /* when somebody wanted to take it last */
    uint32_t declared[_QUEUE_LANE_MAX]; /* a bit a shard, by the pump alone */
    Buffer buffers[_QUEUE_LANE_MAX][QUEUE_RABBITMQ_SHARDS_MAX];
} Kind;

typedef struct Lease {
    struct Lease *next;
    uint64_t token, until_ms; /* clock_mono_ms() */
    Message *message;
    char worker[QUEUE_WORKER_LEN_MAX + 1];
} Lease;

/* A message on its way to the broker. */
typedef struct Publish {
    struct Publish *next;
    Message *message;
    LinkWay way;
    uint64_t number; /* once it is sent */
    uint64_t sent_ms;
    uint64_t ack_tag; /* the delivery that it replaces; 0: none, and it is sent again after a
                         lost connection, which brings deliveries back by itself */
    bool awaited, returned, settled;
    int result;
    pthread_cond_t settled_cond;
} Publish;

typedef struct PublishList {
    Publish *first, *last;
} PublishList;

typedef struct QueueRabbitmq {
    Queue queue;
    Arena *arena; /* of the options */
    LinkOptions link_options;
    QueuePolicy policy;
    unsigned burst;
    uint32_t idle_ms;
    QueueCounters counters;
    Trouble trouble;
    Waiters waiters;
    pthread_t thread;
    bool started;
    int wake_fd;
    _Atomic int fd; /* of the connection; -1: none */

    pthread_mutex_t lock; /* all below */
    Kind *kinds;
    PublishList to_send, sent;
    Lease *leases;
    uint64_t last_token, n_served;
    Buf acks, refusals; /* uint64_t tags */
    Bursts *bursts;
    bool ending;
} QueueRabbitmq;

static inline QueueRabbitmq *queue_rabbitmq_of(Queue *queue) {
    return (QueueRabbitmq *)queue;
}

/* The thread that works on the connection, until `ending`. */
void *queue_rabbitmq_pump(void *userdata);
void queue_rabbitmq_wake(QueueRabbitmq *self);

/* With the lock. The kind, made if need be. */
Kind *queue_rabbitmq_kind(QueueRabbitmq *self, const char *name);
/* With the lock; takes the message over. One that is awaited is the caller's to free. */
Publish *queue_rabbitmq_publish(QueueRabbitmq *self, Message *message, LinkWay way,
                                uint64_t ack_tag, bool awaited);
/* With the lock. Until it is confirmed or `until_ms`; releases it. 0, -EBUSY (the broker refused
 * it), -ENOTCONN or -ETIMEDOUT. */
int queue_rabbitmq_await(QueueRabbitmq *self, Publish *publish, uint64_t until_ms);
/* With the lock. Settled by what is said of it. */
void queue_rabbitmq_settle(QueueRabbitmq *self, Publish *publish, int result);
/* With the lock: what has to be done with a message whose lease ended without success. */
void queue_rabbitmq_lapse(QueueRabbitmq *self, uint64_t now_ms);

/* dead.c: each on a connection of its own. */
int queue_rabbitmq_dead_list(Queue *queue, size_t max, Arena *arena, QueueDead **ret_dead,
                             size_t *ret_n);
int queue_rabbitmq_dead_requeue(Queue *queue, const Uuid *user_id, const Uuid *id);
int queue_rabbitmq_dead_remove(Queue *queue, const Uuid *user_id, const Uuid *id);
int queue_rabbitmq_erase_user(Queue *queue, const Uuid *user_id, uint64_t *ret_n);
int queue_rabbitmq_stats(Queue *queue, QueueStats *ret_stats);
