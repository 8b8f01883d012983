/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* imagesync rebuild: what the logs of libraries come to, made again. */

#include "app/cli.h"

typedef struct RebuildOptions {
    const char *user, *after;
    bool all;
} RebuildOptions;

extern const CliOption rebuild_options[];

int rebuild_command(const CliCall *call);
