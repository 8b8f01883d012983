/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which file each input of a cut-out is written to. Pure: looks at names only. */

#include "base/arena.h"
#include "core/model/recipe.h"

typedef struct PlanInput {
    const char *path;     /* "-": standard input */
    const char *relative; /* its name below the folder it was found in: "shoes/a.jpg" */
} PlanInput;

typedef struct PlanRequest {
    const PlanInput *inputs;
    size_t n_inputs;
    bool many;           /* the inputs were given as a folder or a pattern, however many they are */
    const char *out;     /* -o, or NULL */
    bool out_is_folder;  /* it exists and is one */
    OutputFormat format; /* --format; auto: by the extension of `out`, else PNG */
} PlanRequest;

typedef struct Plan {
    OutputFormat format;  /* never auto */
    const char *folder;   /* to be made when it is not there; NULL: none */
    const char **outputs; /* one an input; "-": standard output */
} Plan;

/* What is put between name and extension of a result that is written beside its input. */
#define PLAN_SUFFIX "-cutout"

/* 0, or -EINVAL with a sentence in *reterr_text. Strings live in `arena`. */
int output_plan(const PlanRequest *request, Arena *arena, Plan *ret_plan, const char **reterr_text);

/* Whether the name is one that output_plan() makes up: "photo-cutout.png". */
bool output_plan_is_result(const char *name);

/* The extension of that format, without a dot. */
const char *output_plan_extension(OutputFormat format);
