/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a person sees of a sync: a line on standard error for each thing that was done, and on a
 * terminal a line below them that says how far it is. Names are shown with '?' for control
 * characters. Thread-safe.
 */

#include "base/arena.h"

#include <pthread.h>

#define REPORT_ONCE_MAX 1000

typedef struct Report {
    pthread_mutex_t lock;
    bool quiet, line; /* line: standard error is a terminal */
    size_t sent, received, moved, failed;
    const char *doing; /* what is under way; static */
    size_t due;        /* of it */
    size_t done;
    uint64_t drawn_us;
    char *said[REPORT_ONCE_MAX]; /* by report_once() */
    size_t n_said;
} Report;

void report_start(Report *report, bool quiet);
void report_done(Report *report);

/* What is done next ("sending", a static text), and to how many files; 0: nothing for now. */
void report_due(Report *report, const char *doing, size_t n);
/* One of these was seen to, of which nothing is to be said. */
void report_step(Report *report);

void report_sent(Report *report, Str path);
void report_received(Report *report, Str path);
/* The file, and what was done to it: "is in .imagesync/trash". */
void report_moved(Report *report, Str path, const char *what);
/* Something could not be done; counts for the exit status. */
void report_failed(Report *report, Str path, const char *why);
/* The same, once for the same path and reason. */
void report_failed_once(Report *report, Str path, const char *why);
/* What is no news to who wants to hear only what went wrong. */
void report_calm(Report *report, const char *format, ...) printf_like(2, 3);
/* A sentence about the whole. */
void report_note(Report *report, const char *format, ...) printf_like(2, 3);

/* Takes the line away and says what was done, and how many files are left to send or to fetch. */
void report_end(Report *report, int64_t n_left);
