/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The work of a cut-out: reads inputs a few ahead, hands them to the renderer, writes what comes
 * back, and stops cleanly at a signal. One thread; the renderer's threads only leave results in a
 * list and ring a bell.
 */

#include "app/output_plan.h"
#include "app/progress.h"

typedef struct CutoutRun {
    Renderer *renderer;
    const PlanInput *inputs;
    const char **outputs;
    size_t n_inputs;
    const Recipe *recipe;
    RenderSource background; /* fd < 0: none */
    unsigned jobs;           /* pictures in memory at the same time: twice as many at most */
    bool force;
    int signal_fd; /* a signalfd of the signals that end the run */
    Progress *progress;
} CutoutRun;

/* Larger files are refused before they are read. */
#define CUTOUT_FILE_MAX ((uint64_t)512 << 20)

enum {
    CUTOUT_E_INTERRUPTED = 1,
};

/*
 * An input is never overwritten, whatever name leads to it. Ends with the renderer freed.
 * 0 (what failed is in the progress), CUTOUT_E_INTERRUPTED, or a fault.
 */
int cutout_run(const CutoutRun *run);
