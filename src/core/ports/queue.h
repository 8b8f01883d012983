/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The job queue: work that can wait, done at least once by whoever takes it. A table with leases in
 * SQL, or RabbitMQ (decision 0013).
 *
 * Order. Paid before free, and of these interactive before batch: the order of QueueLane. Within a
 * lane and kind users take turns, so that ten thousand jobs of one do not hold up the one job of
 * another. A job that has waited for `aging_ms` (an option of the adapters) counts as one of the
 * next lane, so none waits for ever. The order is that of taking, and a preference: with many
 * workers jobs overlap.
 *
 * At least once. A job can be done twice: its lease lapsed while its worker was only slow, or its
 * put was repeated. So what handles it must be idempotent by the job's id. What was put is durable;
 * it ends by queue_done(), or in the dead letter, where it stays with its reason until somebody
 * puts it back or removes it.
 *
 * A payload holds identifiers and parameters, never what erasing a user must reach.
 *
 * Thread-safe. Calls block: they belong on a thread that may wait (base/executor.h).
 */

#include "base/arena.h"
#include "base/uuid.h"

#define QUEUE_PAYLOAD_LEN_MAX   (256u << 10)
#define QUEUE_KIND_LEN_MAX      40
#define QUEUE_KINDS_MAX         16 /* of one queue_take() */
#define QUEUE_WORKER_LEN_MAX    64
#define QUEUE_REASON_LEN_MAX    500 /* what is longer is cut */
#define QUEUE_PUT_MAX           64
#define QUEUE_LIST_MAX          1000
#define QUEUE_VISIBILITY_MS_MAX (12u * 3600 * 1000)
#define QUEUE_RETRY_MS_MAX      (24u * 3600 * 1000)

typedef struct Queue Queue;

typedef enum QueueLane {
    QUEUE_PAID_INTERACTIVE, /* somebody who pays waits for it */
    QUEUE_PAID_BATCH,
    QUEUE_FREE_INTERACTIVE,
    QUEUE_FREE_BATCH,
    _QUEUE_LANE_MAX,
} QueueLane;

enum {
    QUEUE_E_NONE = 1, /* queue_take(): nothing in that time; the dead letter's: no such job */
    QUEUE_E_LOST, /* the lease is not the caller's any more: somebody else has the job, or did */
};

typedef struct QueueJob {
    Uuid id; /* the caller's choice */
    Uuid user_id;
    const char *kind; /* 1 to QUEUE_KIND_LEN_MAX of [a-z0-9_] */
    QueueLane lane;
    Str payload;           /* any bytes */
    int64_t not_before_us; /* since 1970 UTC; 0, or what has passed: at once */
} QueueJob;

/* A job taken, until its visibility time-out. */
typedef struct QueueLease {
    QueueJob job;     /* in the arena of the taker; not_before_us is 0 */
    unsigned attempt; /* 1: nobody had it before, as far as is known */
    uint64_t token;   /* the adapter's */
} QueueLease;

typedef struct QueueTake {
    const char *const *kinds; /* 1 to QUEUE_KINDS_MAX */
    size_t n_kinds;
    const char *worker; /* who takes it, for the reason of a job that is not finished */
    /* Unless it is extended, done or failed until then, others get it. 1 to the maximum. */
    uint32_t visibility_ms;
    uint32_t wait_ms; /* for a job to come; 0: only looks */
} QueueTake;

/* As `delay_ms` of queue_fail(). */
#define QUEUE_RETRY_BACKOFF UINT32_MAX       /* ever later, by the queue's options */
#define QUEUE_RETRY_NEVER   (UINT32_MAX - 1) /* into the dead letter at once */

typedef struct QueueDead {
    Uuid id, user_id;
    const char *kind, *reason; /* in the arena */
    QueueLane lane;
    unsigned attempts;
    int64_t died_us;
} QueueDead;

#define QUEUE_UNKNOWN UINT64_MAX
/* What an adapter cannot tell is QUEUE_UNKNOWN. */
typedef struct QueueStats {
    uint64_t ready, delayed, leased, dead;
    uint64_t oldest_ms; /* since when the one of `ready` that waits longest was put */
} QueueStats;

struct Queue {
    const struct QueueImpl *impl;
};

typedef struct QueueImpl {
    int (*put)(Queue *self, const QueueJob *jobs, size_t n);
    int (*take)(Queue *self, const QueueTake *take, Arena *arena, QueueLease *ret_lease);
    int (*extend)(Queue *self, const QueueLease *lease, uint32_t visibility_ms);
    int (*done)(Queue *self, const QueueLease *lease);
    int (*fail)(Queue *self, const QueueLease *lease, const char *reason, uint32_t delay_ms);
    int (*dead_list)(Queue *self, size_t max, Arena *arena, QueueDead **ret_dead, size_t *ret_n);
    int (*dead_requeue)(Queue *self, const Uuid *user_id, const Uuid *id);
    int (*dead_remove)(Queue *self, const Uuid *user_id, const Uuid *id);
    int (*erase_user)(Queue *self, const Uuid *user_id, uint64_t *ret_n);
    int (*stats)(Queue *self, QueueStats *ret_stats);
    void (*stop)(Queue *self);
    Queue *(*free)(Queue *self);
} QueueImpl;

/*
 * Every call: 0; its own condition; or a fault: -EINVAL for what is beyond the bounds; -EBUSY,
 * -ENOTCONN, -EREMOTEIO as in core/ports/db.h, -ETIMEDOUT (a broker did not answer in time): each
 * worth trying again later; -ENOSPC; -EIO.
 */

/* 0, or -EINVAL for a job beyond the bounds. */
int queue_job_check(const QueueJob *job);

/*
 * 1 to QUEUE_PUT_MAX jobs, durable when it returns 0. After a fault some of them may be there
 * nonetheless: put them again. A job that is there already, in whatever state, stays as it is where
 * the adapter can tell (SQL); RabbitMQ has it twice then.
 */
int queue_put(Queue *self, const QueueJob *jobs, size_t n);

/* The next job of one of these kinds. QUEUE_E_NONE, also at once after queue_stop(). */
int queue_take(Queue *self, const QueueTake *take, Arena *arena, QueueLease *ret_lease);

/* From now on. QUEUE_E_LOST. */
int queue_extend(Queue *self, const QueueLease *lease, uint32_t visibility_ms);

/* The job is no more. QUEUE_E_LOST: another has it, and may do it again. */
static inline int queue_done(Queue *self, const QueueLease *lease) {
    return self->impl->done(self, lease);
}

/*
 * Again after `delay_ms` (at most QUEUE_RETRY_MS_MAX, or one of the constants); after the last of
 * `attempts_max` attempts it goes to the dead letter instead, with the reason: UTF-8, one line,
 * for people. QUEUE_E_LOST.
 */
int queue_fail(Queue *self, const QueueLease *lease, const char *reason, uint32_t delay_ms);

/* At most `max` (1 to QUEUE_LIST_MAX) jobs of the dead letter, those that came first. */
int queue_dead_list(Queue *self, size_t max, Arena *arena, QueueDead **ret_dead, size_t *ret_n);

/* To be taken again, as if it was put now. QUEUE_E_NONE. RabbitMQ looks among the first
 * QUEUE_LIST_MAX only, here and when removing. */
static inline int queue_dead_requeue(Queue *self, const Uuid *user_id, const Uuid *id) {
    return self->impl->dead_requeue(self, user_id, id);
}

/* QUEUE_E_NONE. */
static inline int queue_dead_remove(Queue *self, const Uuid *user_id, const Uuid *id) {
    return self->impl->dead_remove(self, user_id, id);
}

/*
 * Of a user who is no more: removes the jobs that the queue can find, in whatever state, and counts
 * them. SQL finds all; RabbitMQ those of the first QUEUE_LIST_MAX of the dead letter. What it does
 * not find, and what somebody has under way, ends as any job whose object is gone.
 */
static inline int queue_erase_user(Queue *self, const Uuid *user_id, uint64_t *ret_n) {
    return self->impl->erase_user(self, user_id, ret_n);
}

/* Counts, which takes time in proportion to what is there. */
static inline int queue_stats(Queue *self, QueueStats *ret_stats) {
    return self->impl->stats(self, ret_stats);
}

/* Ends all waiting in queue_take(), now and from now on; the rest goes on. Any thread. */
static inline void queue_stop(Queue *self) {
    self->impl->stop(self);
}

/* No call may be under way. Leases that are not settled lapse. Accepts NULL. */
static inline Queue *queue_free(Queue *self) {
    return self ? self->impl->free(self) : NULL;
}
DEFINE_CLEANUP(Queue *, queue_free)
