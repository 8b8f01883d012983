/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The pictures that the arguments of a cut-out mean: files, folders, patterns, standard input. */

#include "app/output_plan.h"

typedef struct InputFailure {
    const char *path;
    const char *detail; /* why there is nothing to do for it */
} InputFailure;

typedef struct InputList {
    PlanInput *inputs; /* in the order of the arguments, each folder sorted by name */
    size_t n_inputs;
    InputFailure *failures; /* arguments that lead to no picture */
    size_t n_failures;
    bool many; /* a folder or a pattern was among the arguments */
    size_t inputs_capacity, failures_capacity;
} InputList;

#define INPUTS_MAX 1000000

typedef struct InputOptions {
    bool recursive;
    bool skip_results; /* leave out what an earlier run wrote beside its inputs */
    const char *out;   /* a folder in a folder that is not looked into: the results'; may be NULL */
} InputOptions;

/*
 * Hidden files and folders are left out of folders, and so is what has no extension of a picture.
 * A word with * ? or [ that is no file is a pattern of the shell (glob(7)). 0, or -E2BIG.
 */
int cutout_inputs_find(const char *const *arguments, size_t n_arguments,
                       const InputOptions *options, Arena *arena, InputList *ret_list);
