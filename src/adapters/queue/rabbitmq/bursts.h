/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who puts many jobs at once: a leaky bucket a user, in a table of fixed size where users may share
 * a place. Not thread-safe.
 */

#include "base/uuid.h"

#define BURSTS_SIZE 4096

typedef struct Bursts {
    struct {
        float level;
        uint32_t at_ms;
    } places[BURSTS_SIZE];
} Bursts;

/* Whether this job of the user's is beyond `burst` that came faster than one a second. */
bool bursts_add(Bursts *bursts, const Uuid *user_id, unsigned burst, uint64_t now_ms);

/* A number of that user's, spread evenly. */
uint32_t bursts_spread(const Uuid *user_id);
