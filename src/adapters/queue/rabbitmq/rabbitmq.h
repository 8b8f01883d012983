/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The job queue in RabbitMQ (3.10 or newer) through librabbitmq: quorum queues, publisher confirms,
 * consumers with prefetch; one connection and one thread that works on it. Lost connections are
 * made anew, and what was not confirmed is sent again.
 *
 * Queues, all durable: PREFIX.KIND.LANE.SHARD, PREFIX.delay.MS and PREFIX.dead. Users who put many
 * jobs at once have theirs in other shards than those who put few, and shards take turns: this is
 * how fair a broker can be without knowing users. What a process takes ahead of its workers
 * (`prefetch` of each queue) it holds in memory, in order of lanes.
 *
 * A lease that is extended past the broker's consumer_timeout (30 minutes unless configured) is
 * lost. Jobs whose process died are taken again at once and do not count as attempts until they
 * have been taken QUEUE_RABBITMQ_CRASHES_MAX times; then they are in the dead letter.
 */

#include "base/crypto/tls.h"
#include "core/ports/queue_impl.h"
#include "core/ports/trouble.h"

#define QUEUE_RABBITMQ_PREFIX_LEN_MAX 64
#define QUEUE_RABBITMQ_SHARDS_MAX     16
#define QUEUE_RABBITMQ_CRASHES_MAX    20

typedef struct QueueRabbitmqOptions {
    /* amqp://user:password@host:port/vhost, or amqps:// with TLS, by RabbitMQ's URI specification,
     * but for an empty vhost, which is the default one */
    const char *url;
    TlsFiles files;      /* with TLS; read at each connection */
    TroubleFn *tell;     /* or NULL */
    const char *prefix;  /* of the queues' names: [a-z0-9_], NULL: imagesync */
    unsigned shards;     /* of each lane and kind, the same in all processes; 0: 3 */
    unsigned burst;      /* jobs of a user at once that are few; 0: 32 */
    uint16_t prefetch;   /* 0: 32 */
    uint32_t idle_ms;    /* a kind that nobody here took for so long is left to others; 0: 30000 */
    uint32_t timeout_ms; /* of a put, and of what the broker is asked; 0: 15000 */
    QueuePolicy policy;
    Metrics *metrics; /* outlives the queue; or NULL */
} QueueRabbitmqOptions;

/* Does not wait for the broker. 0; -EINVAL with a sentence without secrets; -ENOMEM, -EAGAIN. */
int queue_rabbitmq_new(const QueueRabbitmqOptions *options, Queue **ret_queue,
                       const char **reterr_text);
