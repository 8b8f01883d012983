/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* imagesync check: whether all that libraries hold is there. */

#include "app/cli.h"

typedef struct CheckOptions {
    bool deep;
} CheckOptions;

extern const CliOption check_options[];

int check_command(const CliCall *call);
