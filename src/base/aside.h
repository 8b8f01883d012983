/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pieces of work that a thread has done beside itself, one after another and in order, on an
 * executor's thread when one is free. What no thread has begun when it is waited for is done by who
 * waits: so it waits for nobody that has not begun, and an executor's own work may use it without a
 * deadlock.
 */

#include "base/executor.h"
#include "base/macro.h"

/* So many may not have ended: the next lies ready, and no time is lost until its owner wakes. */
#define ASIDE_AHEAD 2

typedef struct Aside Aside;

typedef void AsideWork(void *userdata);

/* `executor` must outlive the last aside_start(); NULL: all is done by who waits. */
Aside *aside_new(Executor *executor);
/* `work` will run once. Before, of what was started earlier all but the last has ended. */
void aside_start(Aside *aside, AsideWork *work, void *userdata);
/* What was started has run, and all that it wrote is seen here. Nothing when nothing was. Any
 * thread, and several at once. */
void aside_join(Aside *aside);
/* Joins. Accepts NULL, returns NULL. */
Aside *aside_free(Aside *aside);
DEFINE_CLEANUP(Aside *, aside_free)
