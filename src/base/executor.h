/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A bounded pool of threads for work that blocks: databases, password hashing, mail. What is
 * submitted runs once, in order of submission, on whichever thread is free; or its submitter is
 * told that it never will.
 */

#include "base/metrics.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Executor Executor;

/*
 * Called once for all that was submitted. `cancelled`: the executor ended first; do nothing but
 * tell whoever waits and release what userdata holds. May submit more.
 */
typedef void ExecutorWork(void *userdata, bool cancelled);

typedef struct ExecutorOptions {
    const char *name;   /* of the threads and in the metrics, at most 15 characters; copied */
    unsigned threads;   /* at least 1 */
    unsigned queue_max; /* what may wait beyond what runs; at least 1 */
    Metrics *metrics;   /* may be NULL; must outlive the executor */
    int nice; /* 0..19: how far its threads step back behind the process' others; see nice(1) */
} ExecutorOptions;

/* A fault when the threads cannot be had. */
int executor_new(const ExecutorOptions *options, Executor **ret_executor);

enum {
    EXECUTOR_E_FULL = 1,   /* as much waits as may: try again later */
    EXECUTOR_E_CLOSED = 2, /* it drains or ends */
};

/* Never blocks; any thread. After a condition `work` is not called. */
int executor_submit(Executor *executor, ExecutorWork *work, void *userdata);

/*
 * Takes nothing more and waits until all that was submitted has run, at most so long. True when
 * it has.
 */
bool executor_drain(Executor *executor, uint32_t timeout_ms);

/*
 * Takes nothing more, calls what still waits with `cancelled`, and waits for what runs. Not to be
 * called from work. Accepts NULL, returns NULL.
 */
Executor *executor_free(Executor *executor);
DEFINE_CLEANUP(Executor *, executor_free)
