/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a person or a program sees of a cut-out under way: a bar on a terminal, else a line a
 * picture, or JSON lines on standard output. Used by one thread.
 */

#include "core/ports/renderer.h"

typedef struct ProgressEvent {
    const char *input, *output; /* output: NULL when none was written */
    const char *status;         /* "ok", or a word for what went wrong */
    const char *detail;         /* a sentence, when it is not ok */
    uint32_t width, height;
    RenderTimings timings;
} ProgressEvent;

typedef struct ProgressOptions {
    bool json, quiet;
    size_t total;
} ProgressOptions;

typedef struct Progress {
    ProgressOptions options;
    bool bar; /* standard error is a terminal */
    size_t done, failed;
    uint64_t started_us, drawn_us;
    RenderTimings sum; /* of what was done */
} Progress;

void progress_start(Progress *progress, const ProgressOptions *options);
void progress_event(Progress *progress, const ProgressEvent *event);
/* Redraws the bar when it is time to. */
void progress_tick(Progress *progress);
/* Takes the bar away and says how it went. */
void progress_end(Progress *progress, bool interrupted);
