/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A process that can be killed: puts or takes jobs and says so line by line.
 *
 *   queue_client URL put KIND N        "put ID" after each that is acknowledged; N 0: for ever
 *   queue_client URL take KIND MS MAX  "taken ID ATTEMPT" for each that came within MS, at most
 *                                      MAX, and is done
 *   queue_client URL hold KIND MS      the same for one, which is kept for MS: then it waits
 *   queue_client URL dead KIND         "dead ID ATTEMPTS REASON" for each
 */

#include "base/error.h"
#include "contract/queue_testing.h"

#include <stdio.h>
#include <unistd.h>

#define PATIENT_TRIES 100

static uint64_t number(const char *text) {
    uint64_t value = 0;

    str_to_u64(str_from(text), &value);
    return value;
}

static int say(const char *what, const Uuid *id, unsigned count, const char *more) {
    char text[UUID_TEXT_SIZE];

    uuid_text(id, text);
    printf("%s %s %u %s\n", what, text, count, more);
    return fflush(stdout) == 0 ? 0 : -EIO;
}

/* What may not be in is put again, with the same identity. */
static int put(Queue *queue, const char *kind, uint64_t n) {
    for (uint64_t i = 0; n == 0 || i < n; i++) {
        QueueJob job = queue_testing_job(kind, QUEUE_PAID_INTERACTIVE, (unsigned)i % 7, "x");
        int r = -EIO;
        for (unsigned k = 0; k < PATIENT_TRIES && r < 0; k++) {
            r = queue_put(queue, &job, 1);
        }
        if (r < 0 || say("put", &job.id, 0, "") < 0) {
            return r;
        }
    }
    return 0;
}

static _Noreturn void hold_for_ever(void) {
    for (;;) {
        pause();
    }
}

static int take(Queue *queue, const char *kind, uint32_t visibility_ms, uint32_t wait_ms,
                uint64_t max, bool hold) {
    QueueTake take = {.kinds = &kind,
                      .n_kinds = 1,
                      .worker = "a client",
                      .visibility_ms = visibility_ms,
                      .wait_ms = wait_ms};

    for (uint64_t i = 0; i < max; i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        QueueLease lease;
        int r = queue_take(queue, &take, arena, &lease);
        if (r == QUEUE_E_NONE) {
            return 0;
        }
        if (r == 0) {
            r = say("taken", &lease.job.id, lease.attempt, "");
        }
        if (r == 0 && hold) {
            hold_for_ever();
        }
        r = r == 0 ? queue_done(queue, &lease) : r;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int list_dead(Queue *queue, const char *kind) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueDead *dead;
    size_t n;
    int r = queue_dead_list(queue, QUEUE_LIST_MAX, arena, &dead, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        if (strcmp(dead[i].kind, kind) == 0) {
            r = say("dead", &dead[i].id, dead[i].attempts, dead[i].reason);
        }
    }
    return r;
}

static int run(Queue *queue, int argc, char **argv) {
    Str what = str_from(argv[2]);

    if (str_equal(what, str_lit("put")) && argc == 5) {
        return put(queue, argv[3], number(argv[4]));
    }
    if (str_equal(what, str_lit("take")) && argc == 6) {
        return take(queue, argv[3], LONG_MS, (uint32_t)number(argv[4]), number(argv[5]), false);
    }
    if (str_equal(what, str_lit("hold")) && argc == 5) {
        return take(queue, argv[3], (uint32_t)number(argv[4]), PATIENCE_MS, 1, true);
    }
    return str_equal(what, str_lit("dead")) ? list_dead(queue, argv[3]) : -EINVAL;
}

int main(int argc, char **argv) {
    const QueuePolicy policy = {.attempts_max = ATTEMPTS_MAX};
    QueueEngine engine;
    int r;

    if (argc < 4 || queue_engine_open(argv[1], &policy, NULL, &engine) != 0) {
        return 2;
    }
    r = run(engine.queue, argc, argv);
    queue_engine_close(&engine);
    if (r != 0) {
        fprintf(stderr, "fault %d\n", r);
    }
    return r == 0 ? 0 : 1;
}
