/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One piece of work at a time that a thread has done beside itself, on an executor's thread when
 * one is free. What no thread has begun when it is joined is done by who joins: so it waits for
 * nobody that has not begun, and an executor's own work may use it without a deadlock.
 */

#include "base/executor.h"
#include "base/macro.h"

typedef struct Aside Aside;

typedef void AsideWork(void *userdata);

/* `executor` must outlive the last aside_start(); NULL: all is done when it is joined. */
Aside *aside_new(Executor *executor);
/* Joins what was started before. Then `work` runs once, before the next call here returns. */
void aside_start(Aside *aside, AsideWork *work, void *userdata);
/* What was started has run, and all that it wrote is seen here. Nothing when nothing was. Any
 * thread, and several at once. */
void aside_join(Aside *aside);
/* Joins. Accepts NULL, returns NULL. */
Aside *aside_free(Aside *aside);
DEFINE_CLEANUP(Aside *, aside_free)
