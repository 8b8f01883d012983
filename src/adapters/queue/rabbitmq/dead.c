/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The dead letter, and counting. Each call looks on a connection of its own, so that it waits for
 * nobody's deliveries and what it only looked at goes back when that closes.
 */

#include "adapters/queue/rabbitmq/rabbitmq_private.h"
#include "base/clock.h"
#include "base/error.h"

#include <poll.h>

#define CRASHED "its worker died each time"

static void end_link(Link *link) {
    link_close(link, true);
}

int queue_rabbitmq_dead_list(Queue *queue, size_t max, Arena *arena, QueueDead **ret_dead,
                             size_t *ret_n) {
    const LinkOptions *options = &queue_rabbitmq_of(queue)->link_options;
    QueueDead *dead = arena_alloc(arena, max * sizeof(*dead));
    _cleanup_(end_link) Link link = {0};
    char name[LINK_NAME_SIZE];
    size_t n = 0;
    int r = link_open(options, &link);

    link_dead_name(options, name);
    for (size_t i = 0; i < max && r == 0; i++) {
        _cleanup_(message_freep) Message *message = NULL;
        r = link_get(&link, name, &message);
        if (r == 0 && !message) {
            break;
        }
        if (r == 0) {
            bool crashed = message->died_us == 0;
            dead[n++] = (QueueDead){
                .id = message->job.id,
                .user_id = message->job.user_id,
                .kind = arena_strdup(arena, str_from(message->kind)),
                .reason = crashed ? CRASHED : arena_strdup(arena, str_from(message->reason)),
                .lane = message->job.lane,
                .attempts = message->attempts + (crashed ? QUEUE_RABBITMQ_CRASHES_MAX : 0),
                .died_us = message->died_us};
        }
        r = r == -EBADMSG ? 0 : r;
    }
    r = r < 0 ? r : link_give_back(&link);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_dead = dead;
    *ret_n = n;
    return 0;
}

/* 0 when it was confirmed. */
static int publish_alone(Link *link, const Message *message) {
    uint64_t until_ms = clock_mono_ms() + link->options->timeout_ms, number;
    int r = link_declare(link, message->kind, message->job.lane, message->shard, NULL);

    if (r == 0) {
        r = link_publish(link, message, LINK_TO_QUEUE, clock_unix_us(), &number);
    }
    while (r == 0) {
        struct pollfd fd = {.fd = link_fd(link), .events = POLLIN};
        uint64_t now = clock_mono_ms();
        LinkEvent event;
        r = link_next(link, &event);
        if (r == 0 && event.type == LINK_EVENT_CONFIRMED) {
            return 0;
        }
        if (r == 0 && event.type != LINK_EVENT_NONE) {
            r = -EBUSY;
        } else if (r == 0 && now >= until_ms) {
            r = -ETIMEDOUT;
        } else if (r == 0) {
            poll(&fd, 1, (int)(until_ms - now));
        }
    }
    return r;
}

/* Takes one out of the dead letter, back to its queue or for good. */
static int take_out(Queue *queue, const Uuid *user_id, const Uuid *id, bool requeue) {
    const LinkOptions *options = &queue_rabbitmq_of(queue)->link_options;
    _cleanup_(end_link) Link link = {0};
    char name[LINK_NAME_SIZE];
    bool found = false;
    int r = link_open(options, &link);

    link_dead_name(options, name);
    for (size_t i = 0; i < QUEUE_LIST_MAX && r == 0 && !found; i++) {
        _cleanup_(message_freep) Message *message = NULL;
        r = link_get(&link, name, &message);
        if (r == 0 && !message) {
            break;
        }
        if (r == 0 && uuid_equal(&message->job.id, id) &&
            uuid_equal(&message->job.user_id, user_id)) {
            found = true;
            if (requeue) {
                message->attempts = 0;
                message->died_us = 0;
                message->put_us = clock_unix_us();
                message->shard %= options->shards;
                r = publish_alone(&link, message);
            }
            r = r < 0 ? r : link_ack(&link, message->tag);
        }
        r = r == -EBADMSG ? 0 : r;
    }
    r = r < 0 ? r : link_give_back(&link);
    if (r < 0) {
        return err_trace(r);
    }
    return found ? 0 : QUEUE_E_NONE;
}

int queue_rabbitmq_dead_requeue(Queue *queue, const Uuid *user_id, const Uuid *id) {
    return take_out(queue, user_id, id, true);
}

int queue_rabbitmq_dead_remove(Queue *queue, const Uuid *user_id, const Uuid *id) {
    return take_out(queue, user_id, id, false);
}

int queue_rabbitmq_erase_user(Queue *queue, const Uuid *user_id, uint64_t *ret_n) {
    const LinkOptions *options = &queue_rabbitmq_of(queue)->link_options;
    _cleanup_(end_link) Link link = {0};
    char name[LINK_NAME_SIZE];
    uint64_t n = 0;
    int r = link_open(options, &link);

    link_dead_name(options, name);
    for (size_t i = 0; i < QUEUE_LIST_MAX && r == 0; i++) {
        _cleanup_(message_freep) Message *message = NULL;
        r = link_get(&link, name, &message);
        if (r == 0 && !message) {
            break;
        }
        if (r == 0 && uuid_equal(&message->job.user_id, user_id)) {
            r = link_ack(&link, message->tag);
            n++;
        }
        r = r == -EBADMSG ? 0 : r;
    }
    r = r < 0 ? r : link_give_back(&link);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_n = n;
    return 0;
}

/* With the lock: what was sent ahead, and what is leased here. */
static void count_own(const QueueRabbitmq *self, QueueStats *stats) {
    for (const Kind *kind = self->kinds; kind; kind = kind->next) {
        for (int lane = 0; lane < _QUEUE_LANE_MAX; lane++) {
            for (unsigned shard = 0; shard < QUEUE_RABBITMQ_SHARDS_MAX; shard++) {
                const Message *at = kind->buffers[lane][shard].first;
                for (; at; at = at->next) {
                    stats->ready++;
                }
            }
        }
    }
    for (const Lease *at = self->leases; at; at = at->next) {
        stats->leased++;
    }
}

int queue_rabbitmq_stats(Queue *queue, QueueStats *ret_stats) {
    QueueRabbitmq *self = queue_rabbitmq_of(queue);
    QueueStats stats = {.delayed = QUEUE_UNKNOWN, .oldest_ms = QUEUE_UNKNOWN};
    unsigned n_queues = _QUEUE_LANE_MAX * self->link_options.shards;
    _cleanup_(end_link) Link link = {0};
    const Kind *kind;
    int r = link_open(&self->link_options, &link);

    if (r == 0) {
        r = link_declare_dead(&link, &stats.dead);
    }
    pthread_mutex_lock(&self->lock);
    count_own(self, &stats);
    kind = self->kinds; /* kinds stay, and only the last one's successor changes */
    while (kind && r == 0) {
        pthread_mutex_unlock(&self->lock);
        for (unsigned i = 0; i < n_queues && r == 0; i++) {
            uint64_t n = 0;
            r = link_declare(&link, kind->name, (QueueLane)(i / self->link_options.shards),
                             i % self->link_options.shards, &n);
            stats.ready += n;
        }
        pthread_mutex_lock(&self->lock);
        kind = kind->next;
    }
    pthread_mutex_unlock(&self->lock);
    if (r < 0) {
        return err_trace(r);
    }
    queue_counters_show(&self->counters, &stats);
    *ret_stats = stats;
    return 0;
}
