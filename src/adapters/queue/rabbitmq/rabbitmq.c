/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/queue/rabbitmq/rabbitmq.h"

#include "adapters/queue/rabbitmq/rabbitmq_private.h"
#include "base/clock.h"
#include "base/error.h"

#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SHARDS_DEFAULT     3
#define BURST_DEFAULT      32
#define PREFETCH_DEFAULT   32
#define IDLE_MS_DEFAULT    30000
#define TIMEOUT_MS_DEFAULT 15000
/* A broker that reads nothing any more cannot keep us from ending. */
#define END_S 3

static int put(Queue *queue, const QueueJob *jobs, size_t n) {
    QueueRabbitmq *self = queue_rabbitmq_of(queue);
    uint64_t now_ms = clock_mono_ms(), until_ms = now_ms + self->link_options.timeout_ms;
    Publish *publishes[QUEUE_PUT_MAX];
    int r = 0;

    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < n; i++) {
        Message *message = message_new(&jobs[i]);
        message->put_us = clock_unix_us();
        /* Shard 0 is of those who put few. */
        if (self->link_options.shards > 1 &&
            bursts_add(self->bursts, &jobs[i].user_id, self->burst, now_ms)) {
            message->shard =
                1 + bursts_spread(&jobs[i].user_id) / 7 % (self->link_options.shards - 1);
        }
        publishes[i] = queue_rabbitmq_publish(self, message, LINK_TO_QUEUE, 0, true);
    }
    queue_rabbitmq_wake(self);
    for (size_t i = 0; i < n; i++) {
        int each = queue_rabbitmq_await(self, publishes[i], until_ms);
        r = r < 0 ? r : each;
    }
    pthread_mutex_unlock(&self->lock);
    queue_count(self->counters.put, r == 0 ? (unsigned)n : 0);
    return r < 0 ? err_trace(r) : 0;
}

static bool wants(const QueueTake *take, const Kind *kind) {
    for (size_t i = 0; i < take->n_kinds; i++) {
        if (strcmp(take->kinds[i], kind->name) == 0) {
            return true;
        }
    }
    return false;
}

/* The lane that its waiting has brought it to. */
static int64_t lane_of(const QueueRabbitmq *self, const Message *message, int64_t now_us) {
    int64_t waited_ms = MAX(now_us - message->put_us, 0) / 1000;

    return MAX((int64_t)message->job.lane - waited_ms / self->policy.aging_ms, 0);
}

/* With the lock: the foremost lane, and in it the buffer that was served longest ago. */
static Message *take_next(QueueRabbitmq *self, const QueueTake *take) {
    int64_t now_us = clock_unix_us(), best_lane = INT64_MAX;
    Buffer *best = NULL;
    Message *message;

    for (Kind *kind = self->kinds; kind; kind = kind->next) {
        for (int lane = 0; lane < _QUEUE_LANE_MAX && wants(take, kind); lane++) {
            for (unsigned shard = 0; shard < QUEUE_RABBITMQ_SHARDS_MAX; shard++) {
                Buffer *each = &kind->buffers[lane][shard];
                int64_t counts_as = each->first ? lane_of(self, each->first, now_us) : INT64_MAX;
                if (counts_as < best_lane ||
                    (best && counts_as == best_lane && each->served < best->served)) {
                    best = each;
                    best_lane = counts_as;
                }
            }
        }
    }
    if (!best) {
        return NULL;
    }
    message = best->first;
    best->first = message->next;
    if (!best->first) {
        best->last = NULL;
    }
    best->served = ++self->n_served;
    return message;
}

/* With the lock: whether there is one; it is leased. */
static bool try_to_take(QueueRabbitmq *self, const QueueTake *take, Arena *arena,
                        QueueLease *ret_lease) {
    Message *message = take_next(self, take);
    Lease *lease;

    if (!message) {
        return false;
    }
    lease = calloc(1, sizeof(*lease));
    if (!lease) {
        abort();
    }
    *lease = (Lease){.next = self->leases,
                     .token = ++self->last_token,
                     .until_ms = clock_mono_ms() + take->visibility_ms,
                     .message = message};
    snprintf(lease->worker, sizeof(lease->worker), "%s", take->worker);
    self->leases = lease;
    *ret_lease = (QueueLease){.job = message->job,
                              .attempt = message->attempts + message->redelivered + 1,
                              .token = lease->token};
    ret_lease->job.kind = arena_strdup(arena, str_from(message->kind));
    ret_lease->job.payload.ptr = arena_strdup(arena, message->job.payload);
    ret_lease->job.not_before_us = 0;
    return true;
}

/* With the lock. */
static void want(QueueRabbitmq *self, const QueueTake *take) {
    for (size_t i = 0; i < take->n_kinds; i++) {
        Kind *kind = queue_rabbitmq_kind(self, take->kinds[i]);
        kind->asked_ms = clock_mono_ms();
        if (!kind->wanted) {
            kind->wanted = true;
            queue_rabbitmq_wake(self);
        }
    }
}

static int take(Queue *queue, const QueueTake *take, Arena *arena, QueueLease *ret_lease) {
    QueueRabbitmq *self = queue_rabbitmq_of(queue);
    uint64_t until_ms = clock_mono_ms() + take->wait_ms;
    bool found, again = true;
    QueueStats stats;
    Waiter waiter;

    if (queue_counters_due(&self->counters)) {
        (void)queue_rabbitmq_stats(queue, &stats); /* shows them */
    }
    waiters_join(&self->waiters, &waiter, take);
    do {
        pthread_mutex_lock(&self->lock);
        want(self, take);
        found = try_to_take(self, take, arena, ret_lease);
        pthread_mutex_unlock(&self->lock);
        if (!found) {
            /* It is always told; looking now and then is for waiting that long only. */
            again = waiters_wait(&self->waiters, &waiter, until_ms, 1000, UINT32_MAX);
        } else {
            queue_rabbitmq_wake(self); /* its lease is to be watched */
        }
    } while (!found && again);
    waiters_leave(&self->waiters, &waiter, found);
    queue_count(self->counters.taken, found);
    return found ? 0 : QUEUE_E_NONE;
}

/* With the lock: NULL when it lapsed, or was lost with the connection. */
static Lease *find_lease(QueueRabbitmq *self, const QueueLease *lease, bool remove) {
    Lease **at = &self->leases, *found;

    while (*at && (*at)->token != lease->token) {
        at = &(*at)->next;
    }
    found = *at;
    if (found && remove) {
        *at = found->next;
    }
    return found;
}

static int extend(Queue *queue, const QueueLease *lease, uint32_t visibility_ms) {
    QueueRabbitmq *self = queue_rabbitmq_of(queue);
    Lease *found;

    pthread_mutex_lock(&self->lock);
    found = find_lease(self, lease, false);
    if (found) {
        found->until_ms = clock_mono_ms() + visibility_ms;
    }
    pthread_mutex_unlock(&self->lock);
    return found ? 0 : QUEUE_E_LOST;
}

static int done(Queue *queue, const QueueLease *lease) {
    QueueRabbitmq *self = queue_rabbitmq_of(queue);
    Lease *found;

    pthread_mutex_lock(&self->lock);
    found = find_lease(self, lease, true);
    if (found) {
        buf_add(&self->acks, &found->message->tag, sizeof(found->message->tag));
        message_free(found->message);
        free(found);
    }
    pthread_mutex_unlock(&self->lock);
    if (!found) {
        return QUEUE_E_LOST;
    }
    queue_rabbitmq_wake(self);
    queue_count(self->counters.done, 1);
    return 0;
}

/* With the lock: the message in its next state, which replaces the one that was delivered. */
static Publish *replace(QueueRabbitmq *self, Message *message, const char *reason, bool dead,
                        uint32_t delay_ms, bool awaited) {
    int64_t now_us = clock_unix_us();
    uint64_t tag = message->tag;

    message->attempts++;
    snprintf(message->reason, sizeof(message->reason), "%s", reason);
    message->died_us = dead ? now_us : 0;
    message->job.not_before_us = dead || delay_ms == 0 ? 0 : now_us + (int64_t)delay_ms * 1000;
    queue_count(dead ? self->counters.dead : self->counters.failed, 1);
    return queue_rabbitmq_publish(self, message, dead ? LINK_TO_DEAD : LINK_TO_QUEUE, tag, awaited);
}

void queue_rabbitmq_lapse(QueueRabbitmq *self, uint64_t now_ms) {
    for (Lease **at = &self->leases; *at;) {
        Lease *lease = *at;
        char reason[QUEUE_WORKER_LEN_MAX + 64];
        if (lease->until_ms > now_ms) {
            at = &lease->next;
            continue;
        }
        *at = lease->next;
        snprintf(reason, sizeof(reason), "%s did not finish it in time",
                 lease->worker[0] ? lease->worker : "a worker");
        queue_count(self->counters.lapsed, 1);
        replace(self, lease->message, reason,
                lease->message->attempts + 1 >= self->policy.attempts_max, 0, false);
        free(lease);
    }
}

static int fail(Queue *queue, const QueueLease *lease, const char *reason, uint32_t delay_ms) {
    QueueRabbitmq *self = queue_rabbitmq_of(queue);
    unsigned attempts;
    Lease *found;
    int r = QUEUE_E_LOST;

    pthread_mutex_lock(&self->lock);
    found = find_lease(self, lease, true);
    if (found) {
        attempts = found->message->attempts + 1;
        if (delay_ms == QUEUE_RETRY_BACKOFF) {
            delay_ms = queue_policy_backoff_ms(&self->policy, attempts);
        }
        Publish *publish = replace(
            self, found->message, reason,
            delay_ms == QUEUE_RETRY_NEVER || attempts >= self->policy.attempts_max, delay_ms, true);
        free(found);
        queue_rabbitmq_wake(self);
        r = queue_rabbitmq_await(self, publish, clock_mono_ms() + self->link_options.timeout_ms);
        r = r == -ENOTCONN ? QUEUE_E_LOST : r;
    }
    pthread_mutex_unlock(&self->lock);
    return r < 0 ? err_trace(r) : r;
}

static void stop(Queue *queue) {
    waiters_stop(&queue_rabbitmq_of(queue)->waiters);
}

static void end_thread(QueueRabbitmq *self) {
    struct timespec until;

    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_mutex_unlock(&self->lock);
    queue_rabbitmq_wake(self);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += END_S;
    if (pthread_timedjoin_np(self->thread, NULL, &until) != 0) {
        int fd = atomic_load(&self->fd);
        if (fd >= 0) {
            shutdown(fd, SHUT_RDWR);
        }
        pthread_join(self->thread, NULL);
    }
}

static void free_publishes(PublishList *list) {
    for (Publish *at = list->first, *next; at; at = next) {
        next = at->next;
        pthread_cond_destroy(&at->settled_cond);
        message_free(at->message);
        free(at);
    }
}

static Queue *rabbitmq_free(Queue *queue) {
    QueueRabbitmq *self = queue_rabbitmq_of(queue);

    if (self->started) {
        end_thread(self);
    }
    free_publishes(&self->to_send);
    free_publishes(&self->sent);
    for (Kind *at = self->kinds, *next; at; at = next) {
        next = at->next;
        free(at);
    }
    if (self->wake_fd >= 0) {
        close(self->wake_fd);
    }
    buf_done(&self->acks);
    buf_done(&self->refusals);
    free(self->bursts);
    waiters_done(&self->waiters);
    pthread_mutex_destroy(&self->lock);
    arena_free(self->arena);
    free(self);
    return NULL;
}

static const QueueImpl rabbitmq_impl = {
    .put = put,
    .take = take,
    .extend = extend,
    .done = done,
    .fail = fail,
    .dead_list = queue_rabbitmq_dead_list,
    .dead_requeue = queue_rabbitmq_dead_requeue,
    .dead_remove = queue_rabbitmq_dead_remove,
    .erase_user = queue_rabbitmq_erase_user,
    .stats = queue_rabbitmq_stats,
    .stop = stop,
    .free = rabbitmq_free,
};

static int read_options(QueueRabbitmq *self, const QueueRabbitmqOptions *options,
                        const char **reterr_text) {
    const char *prefix = options->prefix ? options->prefix : "imagesync";
    char *url = arena_strdup(self->arena, str_from(options->url));
    struct amqp_connection_info parsed;

    if (amqp_parse_url(url, &parsed) != AMQP_STATUS_OK) {
        *reterr_text = "RabbitMQ's address is amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// "
                       "for TLS, with other than letters and digits written as %XX";
        return -EINVAL;
    }
    if (strlen(prefix) == 0 || strlen(prefix) > QUEUE_RABBITMQ_PREFIX_LEN_MAX ||
        prefix[strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0' ||
        options->shards > QUEUE_RABBITMQ_SHARDS_MAX || queue_policy_complete(&self->policy) < 0) {
        *reterr_text = "a number of the queue's options is out of bounds, or the prefix is not of "
                       "a-z, 0-9 and _";
        return -EINVAL;
    }
    self->burst = options->burst > 0 ? options->burst : BURST_DEFAULT;
    self->idle_ms = options->idle_ms > 0 ? options->idle_ms : IDLE_MS_DEFAULT;
    self->link_options = (LinkOptions){
        .host = parsed.host,
        .port = parsed.port,
        .tls = parsed.ssl,
        .files = tls_files_copy(&options->files, self->arena),
        .user = parsed.user,
        .password = parsed.password,
        .vhost = parsed.vhost[0] ? parsed.vhost : "/",
        .trouble = &self->trouble,
        .prefix = arena_strdup(self->arena, str_from(prefix)),
        .shards = options->shards > 0 ? options->shards : SHARDS_DEFAULT,
        .prefetch = options->prefetch > 0 ? options->prefetch : PREFETCH_DEFAULT,
        .timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS_DEFAULT,
    };
    return 0;
}

/* The thread takes no signals: they are the process's to handle. */
static int start_thread(QueueRabbitmq *self) {
    sigset_t all, old;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&self->thread, NULL, queue_rabbitmq_pump, self);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    self->started = r == 0;
    return -r;
}

int queue_rabbitmq_new(const QueueRabbitmqOptions *options, Queue **ret_queue,
                       const char **reterr_text) {
    _cleanup_(queue_freep) Queue *queue = NULL;
    QueueRabbitmq *self = calloc(1, sizeof(*self));
    int r;

    *reterr_text = "the queue cannot be set up";
    if (!self) {
        return err_trace(-ENOMEM);
    }
    self->queue.impl = &rabbitmq_impl;
    self->policy = options->policy;
    self->trouble = (Trouble){.server = "rabbitmq", .tell = options->tell};
    self->arena = arena_new();
    self->fd = -1;
    self->last_token = (uint64_t)arc4random() << 31;
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->bursts = calloc(1, sizeof(*self->bursts));
    pthread_mutex_init(&self->lock, NULL);
    waiters_init(&self->waiters);
    queue_counters_init(&self->counters, options->metrics);
    queue = &self->queue;
    if (self->wake_fd < 0 || !self->bursts) {
        return err_trace(self->bursts ? err_errno() : -ENOMEM);
    }
    r = read_options(self, options, reterr_text);
    if (r == 0) {
        r = start_thread(self);
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_queue = TAKE_PTR(queue);
    return 0;
}
