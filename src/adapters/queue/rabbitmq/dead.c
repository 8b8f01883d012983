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

/* What is done with one of them; 0 to go on, positive when that was all, or a fault. */
typedef int Visit(void *userdata, Link *link, Message *message);

/* In their order, at most `max`. What is not acknowledged goes back. */
static int visit_dead(Queue *queue, size_t max, Visit *visit, void *userdata) {
    const LinkOptions *options = &queue_rabbitmq_of(queue)->link_options;
    _cleanup_(end_link) Link link = {0};
    char name[LINK_NAME_SIZE];
    int r = link_open(options, &link);

    link_dead_name(options, name);
    for (size_t i = 0; i < max && r == 0; i++) {
        _cleanup_(message_freep) Message *message = NULL;
        r = link_get(&link, name, &message);
        if (r == -EBADMSG) {
            r = 0; /* none of ours */
            continue;
        }
        if (r == 0 && !message) {
            break;
        }
        if (r == 0) {
            r = visit(userdata, &link, message);
        }
    }
    r = r < 0 ? r : link_give_back(&link);
    return err_trace(MIN(r, 0));
}

typedef struct Listing {
    Arena *arena;
    QueueDead *dead;
    size_t n;
} Listing;

static int list_one(void *userdata, Link *link, Message *message) {
    Listing *listing = userdata;
    bool crashed = message->died_us == 0;

    (void)link;
    listing->dead[listing->n++] = (QueueDead){
        .id = message->job.id,
        .user_id = message->job.user_id,
        .kind = arena_strdup(listing->arena, str_from(message->kind)),
        .reason = crashed ? CRASHED : arena_strdup(listing->arena, str_from(message->reason)),
        .lane = message->job.lane,
        .attempts = message->attempts + (crashed ? QUEUE_RABBITMQ_CRASHES_MAX : 0),
        .died_us = message->died_us};
    return 0;
}

int queue_rabbitmq_dead_list(Queue *queue, size_t max, Arena *arena, QueueDead **ret_dead,
                             size_t *ret_n) {
    Listing listing = {.arena = arena, .dead = arena_alloc(arena, max * sizeof(QueueDead))};
    int r = visit_dead(queue, max, list_one, &listing);

    if (r < 0) {
        return err_trace(r);
    }
    *ret_dead = listing.dead;
    *ret_n = listing.n;
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

typedef struct TakingOut {
    const Uuid *user_id, *id; /* no id: all of that user */
    bool requeue;
    unsigned shards;
    uint64_t n; /* that were taken out */
} TakingOut;

static int take_one(void *userdata, Link *link, Message *message) {
    TakingOut *taking = userdata;
    int r = 0;

    if (!uuid_equal(&message->job.user_id, taking->user_id) ||
        (taking->id && !uuid_equal(&message->job.id, taking->id))) {
        return 0;
    }
    if (taking->requeue) {
        message->attempts = 0;
        message->died_us = 0;
        message->put_us = clock_unix_us();
        message->shard %= taking->shards;
        r = publish_alone(link, message);
    }
    r = r < 0 ? r : link_ack(link, message->tag);
    taking->n += r >= 0;
    return r < 0 ? r : taking->id ? 1 : 0;
}

/* Takes one out of the dead letter, back to its queue or for good. */
static int take_out(Queue *queue, const Uuid *user_id, const Uuid *id, bool requeue) {
    TakingOut taking = {.user_id = user_id,
                        .id = id,
                        .requeue = requeue,
                        .shards = queue_rabbitmq_of(queue)->link_options.shards};
    int r = visit_dead(queue, QUEUE_LIST_MAX, take_one, &taking);

    return r < 0 ? err_trace(r) : taking.n > 0 ? 0 : QUEUE_E_NONE;
}

int queue_rabbitmq_dead_requeue(Queue *queue, const Uuid *user_id, const Uuid *id) {
    return take_out(queue, user_id, id, true);
}

int queue_rabbitmq_dead_remove(Queue *queue, const Uuid *user_id, const Uuid *id) {
    return take_out(queue, user_id, id, false);
}

int queue_rabbitmq_erase_user(Queue *queue, const Uuid *user_id, uint64_t *ret_n) {
    TakingOut taking = {.user_id = user_id};
    int r = visit_dead(queue, SIZE_MAX, take_one, &taking);

    if (r < 0) {
        return err_trace(r);
    }
    *ret_n = taking.n;
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
