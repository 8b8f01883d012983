/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "app/cli.h"

typedef struct ModelsListOptions {
    bool json;
} ModelsListOptions;

/* Numbers are -1 and texts NULL where they were not given. */
typedef struct ModelsAddOptions {
    const char *manifest, *like, *name, *licence;
    int64_t width, height, output;
    int range; /* ModelRange */
    double mean[3], scale[3];
    bool mean_given, scale_given;
} ModelsAddOptions;

extern const CliOption models_list_options[];
extern const CliOption models_add_options[];
extern const ModelsAddOptions models_add_options_init;

int models_list_command(const CliCall *call);
int models_verify_command(const CliCall *call);
int models_add_command(const CliCall *call);
int models_remove_command(const CliCall *call);
