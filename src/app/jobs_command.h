/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* imagesync jobs ...: what operators do with jobs that failed for good. */

#include "app/cli.h"

typedef struct JobsDeadOptions {
    bool json;
} JobsDeadOptions;

typedef struct JobsRequeueOptions {
    bool all;
} JobsRequeueOptions;

extern const CliOption jobs_dead_options[], jobs_requeue_options[];

int jobs_dead_command(const CliCall *call);
int jobs_requeue_command(const CliCall *call);
int jobs_drop_command(const CliCall *call);
