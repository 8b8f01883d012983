/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The thread that alone works on the connection: it sends what others want sent, hears what the
 * broker says, and connects again when the connection is lost.
 */

#include "adapters/queue/rabbitmq/rabbitmq_private.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <poll.h>
#include <unistd.h>

/* Between tries to reach a broker that is down: doubled each time, half of it at random. */
#define RETRY_MS_MIN 50
#define RETRY_MS_MAX 2000
/* Heartbeats want that it looks now and then. */
#define LOOK_MS 1000
/* Of the time that a put has: so long a confirmation may take. */
#define CONFIRM_PART 3
/* So that what is to be sent does not wait for all that comes. */
#define EVENTS_AT_ONCE 256

void queue_rabbitmq_wake(QueueRabbitmq *self) {
    const uint64_t one = 1;

    (void)!write(self->wake_fd, &one, sizeof(one));
}

/* Milliseconds; ends early when it is woken or the broker says something. */
static void wait_for(const QueueRabbitmq *self, int fd, int ms) {
    struct pollfd fds[] = {{.fd = self->wake_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    uint64_t count;

    poll(fds, fd < 0 ? 1 : 2, ms);
    (void)!read(self->wake_fd, &count, sizeof(count));
}

static Publish *pop(PublishList *list) {
    Publish *first = list->first;

    list->first = first->next;
    if (!list->first) {
        list->last = NULL;
    }
    first->next = NULL;
    return first;
}

static void push(PublishList *list, Publish *publish) {
    publish->next = NULL;
    if (list->last) {
        list->last->next = publish;
    } else {
        list->first = publish;
    }
    list->last = publish;
}

/* Begins to take the kinds that somebody asked for since. */
static int send_consumers(QueueRabbitmq *self, Link *link) {
    int r = 0;

    pthread_mutex_lock(&self->lock);
    for (Kind *kind = self->kinds; kind && r == 0; kind = kind->next) {
        if (!kind->wanted || kind->consumed) {
            continue;
        }
        kind->consumed = true;
        pthread_mutex_unlock(&self->lock);
        for (int lane = 0; lane < _QUEUE_LANE_MAX && r == 0; lane++) {
            for (unsigned shard = 0; shard < self->link_options.shards && r == 0; shard++) {
                r = link_consume(link, kind->name, (QueueLane)lane, shard);
                kind->declared[lane] |= 1u << shard;
            }
        }
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return r;
}

static int send_one(QueueRabbitmq *self, Link *link, Publish *publish) {
    const Message *message = publish->message;
    Kind *kind;
    int r = 0;

    pthread_mutex_lock(&self->lock);
    kind = queue_rabbitmq_kind(self, message->kind);
    pthread_mutex_unlock(&self->lock);
    if (publish->way == LINK_TO_QUEUE &&
        !(kind->declared[message->job.lane] & (1u << message->shard))) {
        r = link_declare(link, kind->name, message->job.lane, message->shard, NULL);
        kind->declared[message->job.lane] |= r == 0 ? 1u << message->shard : 0;
    }
    if (r == 0) {
        r = link_publish(link, message, publish->way, clock_unix_us(), &publish->number);
    }
    publish->sent_ms = clock_mono_ms();
    pthread_mutex_lock(&self->lock);
    push(&self->sent, publish);
    pthread_mutex_unlock(&self->lock);
    return r;
}

static int send_tags(QueueRabbitmq *self, Link *link, Buf *tags,
                     int (*send)(Link *link, uint64_t tag)) {
    _cleanup_(buf_done) Buf mine = BUF_INIT;
    int r = 0;

    pthread_mutex_lock(&self->lock);
    mine = *tags;
    *tags = BUF_INIT;
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; i < mine.len && r == 0; i += sizeof(uint64_t)) {
        uint64_t tag;
        memcpy(&tag, mine.data + i, sizeof(tag));
        r = send(link, tag);
    }
    return r;
}

static void refuse_buffered(QueueRabbitmq *self, Buffer *buffer) {
    for (Message *at = buffer->first, *next; at; at = next) {
        next = at->next;
        buf_add(&self->refusals, &at->tag, sizeof(at->tag));
        message_free(at);
    }
    *buffer = (Buffer){.served = buffer->served};
}

/* Leaves kinds to others that nobody here takes any more, with what was sent ahead of them. */
static int leave_idle(QueueRabbitmq *self, Link *link) {
    uint64_t now = clock_mono_ms();
    int r = 0;

    pthread_mutex_lock(&self->lock);
    for (Kind *kind = self->kinds; kind && r == 0; kind = kind->next) {
        if (!kind->consumed || now < kind->asked_ms + self->idle_ms) {
            continue;
        }
        kind->wanted = kind->consumed = false;
        for (int lane = 0; lane < _QUEUE_LANE_MAX; lane++) {
            for (unsigned shard = 0; shard < QUEUE_RABBITMQ_SHARDS_MAX; shard++) {
                refuse_buffered(self, &kind->buffers[lane][shard]);
            }
        }
        pthread_mutex_unlock(&self->lock);
        for (int lane = 0; lane < _QUEUE_LANE_MAX && r == 0; lane++) {
            for (unsigned shard = 0; shard < self->link_options.shards && r == 0; shard++) {
                r = link_cancel(link, kind->name, (QueueLane)lane, shard);
            }
        }
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return r;
}

static int send_all(QueueRabbitmq *self, Link *link) {
    int r = send_consumers(self, link);

    while (r == 0) {
        Publish *publish;
        pthread_mutex_lock(&self->lock);
        publish = self->to_send.first ? pop(&self->to_send) : NULL;
        pthread_mutex_unlock(&self->lock);
        if (!publish) {
            break;
        }
        r = send_one(self, link, publish);
    }
    r = r < 0 ? r : send_tags(self, link, &self->acks, link_ack);
    return r < 0 ? r : send_tags(self, link, &self->refusals, link_refuse);
}

/* With the lock. Numbers rise along the list, but each may be confirmed alone. */
static void confirm(QueueRabbitmq *self, const LinkEvent *event) {
    PublishList rest = {0};
    int result = event->type == LINK_EVENT_CONFIRMED ? 0 : -EBUSY;

    while (self->sent.first) {
        Publish *publish = self->sent.first;
        if (publish->number > event->number) {
            break;
        }
        publish = pop(&self->sent);
        if (publish->number < event->number && !event->all_before) {
            push(&rest, publish);
        } else if (publish->returned && result == 0) {
            /* Somebody deleted the queue: it is made again. */
            publish->returned = false;
            queue_rabbitmq_kind(self, publish->message->kind)
                ->declared[publish->message->job.lane] = 0;
            push(&self->to_send, publish);
        } else {
            queue_rabbitmq_settle(self, publish, result);
        }
    }
    if (rest.last) {
        rest.last->next = self->sent.first;
        self->sent.first = rest.first;
        self->sent.last = self->sent.last ? self->sent.last : rest.last;
    }
}

/* With the lock. Into its buffer, or back on its way when it is too early. */
static void receive(QueueRabbitmq *self, Message *message) {
    Kind *kind = queue_rabbitmq_kind(self, message->kind);
    Buffer *buffer = &kind->buffers[message->job.lane][message->shard % QUEUE_RABBITMQ_SHARDS_MAX];

    if (message->job.not_before_us > clock_unix_us()) {
        queue_rabbitmq_publish(self, message, LINK_TO_QUEUE, message->tag, false);
        return;
    }
    if (!kind->consumed) { /* it was on its way when the kind was left */
        buf_add(&self->refusals, &message->tag, sizeof(message->tag));
        message_free(message);
        return;
    }
    message->next = NULL;
    if (buffer->last) {
        buffer->last->next = message;
    } else {
        buffer->first = message;
    }
    buffer->last = message;
    waiters_wake(&self->waiters, message->kind);
}

static void mark_returned(QueueRabbitmq *self, uint64_t number) {
    for (Publish *at = self->sent.first; at; at = at->next) {
        at->returned |= at->number == number;
    }
}

static int hear_all(QueueRabbitmq *self, Link *link, bool *ret_more) {
    LinkEvent event = {LINK_EVENT_NONE};
    int r = 0;

    for (unsigned i = 0; i < EVENTS_AT_ONCE; i++) {
        r = link_next(link, &event);
        if (r < 0 || event.type == LINK_EVENT_NONE) {
            break;
        }
        pthread_mutex_lock(&self->lock);
        switch (event.type) {
        case LINK_EVENT_CONFIRMED:
        case LINK_EVENT_REFUSED:
            confirm(self, &event);
            break;
        case LINK_EVENT_RETURNED:
            mark_returned(self, event.number);
            break;
        case LINK_EVENT_MESSAGE:
            receive(self, event.message);
            break;
        case LINK_EVENT_FOREIGN:
            /* Nothing here can do it: it must not come again and again. */
            buf_add(&self->acks, &event.number, sizeof(event.number));
            break;
        case LINK_EVENT_NONE:
            break;
        }
        pthread_mutex_unlock(&self->lock);
    }
    *ret_more = r == 0 && event.type != LINK_EVENT_NONE;
    return r;
}

static void drop_deliveries(QueueRabbitmq *self) {
    for (Kind *kind = self->kinds; kind; kind = kind->next) {
        kind->consumed = false;
        for (int lane = 0; lane < _QUEUE_LANE_MAX; lane++) {
            kind->declared[lane] = 0;
            for (unsigned shard = 0; shard < QUEUE_RABBITMQ_SHARDS_MAX; shard++) {
                Buffer *buffer = &kind->buffers[lane][shard];
                for (Message *at = buffer->first, *next; at; at = next) {
                    next = at->next;
                    message_free(at);
                }
                *buffer = (Buffer){.served = buffer->served};
            }
        }
    }
    for (Lease *at = self->leases, *next; at; at = next) {
        next = at->next;
        message_free(at->message);
        free(at);
    }
    self->leases = NULL;
    buf_done(&self->acks);
    buf_done(&self->refusals);
}

/* The broker gives all that was delivered and not acknowledged to others. */
static void lose(QueueRabbitmq *self, Link *link) {
    PublishList all;

    atomic_store(&self->fd, -1);
    link_close(link, false);
    pthread_mutex_lock(&self->lock);
    drop_deliveries(self);
    all = self->sent;
    if (all.last) {
        all.last->next = self->to_send.first;
        all.last = self->to_send.last ? self->to_send.last : all.last;
    } else {
        all = self->to_send;
    }
    self->sent = self->to_send = (PublishList){0};
    while (all.first) {
        Publish *publish = pop(&all);
        publish->returned = false;
        if (publish->ack_tag != 0) {
            publish->ack_tag = 0;
            queue_rabbitmq_settle(self, publish, -ENOTCONN);
        } else if (!publish->awaited) { /* its caller was told that it is not known */
            queue_rabbitmq_settle(self, publish, -ETIMEDOUT);
        } else {
            push(&self->to_send, publish);
        }
    }
    pthread_mutex_unlock(&self->lock);
}

static bool is_ending(QueueRabbitmq *self) {
    bool ending;

    pthread_mutex_lock(&self->lock);
    ending = self->ending;
    pthread_mutex_unlock(&self->lock);
    return ending;
}

/* False when it ends first. */
static bool connect_at_last(QueueRabbitmq *self, Link *link) {
    uint32_t retry_ms = RETRY_MS_MIN;

    while (!is_ending(self)) {
        uint64_t until_ms, now;
        if (link_open(&self->link_options, link) == 0) {
            atomic_store(&self->fd, link_fd(link));
            return true;
        }
        until_ms = clock_mono_ms() + retry_ms / 2 + arc4random_uniform(retry_ms / 2 + 1);
        while (!is_ending(self) && (now = clock_mono_ms()) < until_ms) {
            wait_for(self, -1, (int)(until_ms - now));
        }
        retry_ms = MIN(retry_ms * 2, RETRY_MS_MAX);
    }
    return false;
}

/* A broker that does not confirm for long may have lost it, as while a queue has no leader: it is
 * sent again on a new connection, and is there twice at worst. */
static bool waits_in_vain(QueueRabbitmq *self) {
    bool late;

    pthread_mutex_lock(&self->lock);
    late = self->sent.first && clock_mono_ms() - self->sent.first->sent_ms >
                                   self->link_options.timeout_ms / CONFIRM_PART;
    pthread_mutex_unlock(&self->lock);
    return late;
}

/* How long nothing has to be done by itself. */
static int quiet_ms(QueueRabbitmq *self) {
    uint64_t now = clock_mono_ms(), until_ms = now + LOOK_MS;

    pthread_mutex_lock(&self->lock);
    for (const Lease *at = self->leases; at; at = at->next) {
        until_ms = MIN(until_ms, at->until_ms);
    }
    if (self->to_send.first || self->acks.len > 0 || self->refusals.len > 0) {
        until_ms = now;
    }
    pthread_mutex_unlock(&self->lock);
    return until_ms > now ? (int)(until_ms - now) : 0;
}

void *queue_rabbitmq_pump(void *userdata) {
    QueueRabbitmq *self = userdata;
    Link link = {0};

    while (link.state || connect_at_last(self, &link)) {
        bool ending = is_ending(self), more = false;
        int r = send_all(self, &link);
        if (r == 0 && ending) {
            break;
        }
        r = r < 0 ? r : hear_all(self, &link, &more);
        r = r < 0 ? r : leave_idle(self, &link);
        if (r < 0 || waits_in_vain(self)) {
            lose(self, &link);
            continue;
        }
        pthread_mutex_lock(&self->lock);
        queue_rabbitmq_lapse(self, clock_mono_ms());
        pthread_mutex_unlock(&self->lock);
        if (!more) {
            wait_for(self, link_fd(&link), quiet_ms(self));
        }
    }
    atomic_store(&self->fd, -1);
    link_close(&link, true);
    pthread_mutex_lock(&self->lock);
    drop_deliveries(self);
    pthread_mutex_unlock(&self->lock);
    return NULL;
}
