/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For tests: a pool whose workers and inference process are pool_fake, which does what the words of
 * its input say. */

#include "adapters/renderer/pool.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* Path of pool_fake, from the command line. */
extern const char *pool_testing_fake;

/* Results as they come, for the test's thread to wait for. */
typedef struct Sink {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned n;
    RenderStatus status[256];
    uintptr_t label[256];
    RenderResult last;
} Sink;

typedef struct Ask {
    Sink *sink;
    uintptr_t label;
} Ask;

typedef struct Fixture {
    Renderer *renderer;
    Sink sink;
    Ask asks[256];
    unsigned n_asks;
    int inputs[256];
    char folder[64];
} Fixture;

PoolOptions options_default(void);
Fixture *open_pool(const PoolOptions *options);
void close_pool(Fixture *f);
RenderSource source_of(const char *word);
/* `with` NULL: a whole rendition that takes 100. */
uint64_t submit(Fixture *f, const char *word, const RenderJob *with);
uint64_t submit_ingest(Fixture *f, const char *word, uint64_t memory);
/* What the n-th result was, when it is there. */
RenderStatus wait_for(Fixture *f, unsigned n);
/* Until so many jobs are in workers; the pool has no call to wait for that. */
void wait_running(Fixture *f, uint32_t n);
RenderStatus outcome(const PoolOptions *options, const char *word);
/* The same after "once:FILE:", so that the second try goes well. */
RenderStatus outcome_once(const PoolOptions *options, const char *prefix, const char *word);
