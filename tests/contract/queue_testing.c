/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/queue_testing.h"

QueueJob queue_testing_job(const char *kind, QueueLane lane, unsigned user, const char *payload) {
    QueueJob job = {.id = uuid_new(), .kind = kind, .lane = lane, .payload = str_from(payload)};

    /* In the form of a version 7. */
    memcpy(job.user_id.bytes, &user, sizeof(user));
    job.user_id.bytes[6] = 0x70;
    job.user_id.bytes[8] = 0x80;
    return job;
}

void queue_testing_put(Queue *queue, const QueueJob *job) {
    assert_int_equal(queue_put(queue, job, 1), 0);
}

int queue_testing_take(Queue *queue, const char *kind, uint32_t visibility_ms, uint32_t wait_ms,
                       Arena *arena, QueueLease *ret_lease) {
    QueueTake take = {.kinds = &kind,
                      .n_kinds = 1,
                      .worker = "the test",
                      .visibility_ms = visibility_ms,
                      .wait_ms = wait_ms};
    int r = queue_take(queue, &take, arena, ret_lease);

    assert_true(r == 0 || r == QUEUE_E_NONE);
    return r;
}

QueueLease queue_testing_expect(Queue *queue, const char *kind, uint32_t visibility_ms,
                                Arena *arena) {
    QueueLease lease;

    assert_int_equal(queue_testing_take(queue, kind, visibility_ms, PATIENCE_MS, arena, &lease), 0);
    assert_string_equal(lease.job.kind, kind);
    return lease;
}

const char *queue_testing_do(Queue *queue, const char *kind, Arena *arena) {
    QueueLease lease = queue_testing_expect(queue, kind, LONG_MS, arena);

    assert_int_equal(queue_done(queue, &lease), 0);
    return arena_strdup(arena, lease.job.payload);
}

size_t queue_testing_dead(Queue *queue, const char *kind, Arena *arena, QueueDead *ret_dead) {
    QueueDead *dead;
    size_t n, found = 0;

    assert_int_equal(queue_dead_list(queue, QUEUE_LIST_MAX, arena, &dead, &n), 0);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(dead[i].kind, kind) == 0) {
            *ret_dead = dead[i];
            found++;
        }
    }
    return found;
}
