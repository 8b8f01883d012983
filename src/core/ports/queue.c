/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ports/queue.h"

#include "base/error.h"

static bool kind_is_good(const char *kind) {
    size_t len = kind ? strlen(kind) : 0;

    return len > 0 && len <= QUEUE_KIND_LEN_MAX &&
           strspn(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static bool visibility_is_good(uint32_t visibility_ms) {
    return visibility_ms > 0 && visibility_ms <= QUEUE_VISIBILITY_MS_MAX;
}

int queue_job_check(const QueueJob *job) {
    return kind_is_good(job->kind) && job->lane >= 0 && job->lane < _QUEUE_LANE_MAX &&
                   job->payload.len <= QUEUE_PAYLOAD_LEN_MAX && job->not_before_us >= 0
               ? 0
               : err_trace(-EINVAL);
}

int queue_put(Queue *self, const QueueJob *jobs, size_t n) {
    int r = n > 0 && n <= QUEUE_PUT_MAX ? 0 : -EINVAL;

    for (size_t i = 0; i < n && r == 0; i++) {
        r = queue_job_check(&jobs[i]);
    }
    return r < 0 ? err_trace(r) : self->impl->put(self, jobs, n);
}

int queue_take(Queue *self, const QueueTake *take, Arena *arena, QueueLease *ret_lease) {
    if (take->n_kinds == 0 || take->n_kinds > QUEUE_KINDS_MAX ||
        !visibility_is_good(take->visibility_ms) || strlen(take->worker) > QUEUE_WORKER_LEN_MAX) {
        return err_trace(-EINVAL);
    }
    for (size_t i = 0; i < take->n_kinds; i++) {
        if (!kind_is_good(take->kinds[i])) {
            return err_trace(-EINVAL);
        }
    }
    return self->impl->take(self, take, arena, ret_lease);
}

int queue_extend(Queue *self, const QueueLease *lease, uint32_t visibility_ms) {
    if (!visibility_is_good(visibility_ms)) {
        return err_trace(-EINVAL);
    }
    return self->impl->extend(self, lease, visibility_ms);
}

/* Cut between characters. */
static void cut_reason(const char *reason, char ret_text[QUEUE_REASON_LEN_MAX + 1]) {
    Str rest = str_from(reason);
    size_t len = 0, n;

    while ((n = str_utf8_sequence(rest)) > 0 && len + n <= QUEUE_REASON_LEN_MAX) {
        memcpy(ret_text + len, rest.ptr, n);
        len += n;
        rest = (Str){rest.ptr + n, rest.len - n};
    }
    ret_text[len] = '\0';
}

int queue_fail(Queue *self, const QueueLease *lease, const char *reason, uint32_t delay_ms) {
    char text[QUEUE_REASON_LEN_MAX + 1];

    if (delay_ms > QUEUE_RETRY_MS_MAX && delay_ms < QUEUE_RETRY_NEVER) {
        return err_trace(-EINVAL);
    }
    cut_reason(reason, text);
    return self->impl->fail(self, lease, text, delay_ms);
}

int queue_dead_list(Queue *self, size_t max, Arena *arena, QueueDead **ret_dead, size_t *ret_n) {
    if (max == 0 || max > QUEUE_LIST_MAX) {
        return err_trace(-EINVAL);
    }
    return self->impl->dead_list(self, max, arena, ret_dead, ret_n);
}
