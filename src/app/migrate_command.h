/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "app/cli.h"

typedef struct MigrateStatusOptions {
    bool json;
} MigrateStatusOptions;

extern const CliOption migrate_status_options[];

int migrate_up_command(const CliCall *call);
int migrate_status_command(const CliCall *call);
