/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What users' reservations came to and the user service could not be told, because it was away:
 * kept in this process and said again by a thread of its own, ever later, until it answers. Nobody
 * is charged twice by that: a reservation is settled once, and one that has expired meanwhile was
 * given back. What is kept dies with the process, and then the reservation expires as well.
 */

#include "base/metrics.h"
#include "core/contracts/access.h"

#include <stdbool.h>

typedef struct Settlements Settlements;

#define SETTLEMENTS_MAX 10000
/* The longest that the user service keeps a reservation, whatever its settings say. */
#define SETTLEMENTS_KEEP_MS (24ull * 3600 * 1000)

typedef struct SettlementsOptions {
    Access *access;    /* outlives it */
    uint32_t retry_ms; /* before the first time; twice as long after each failure, up to half a
                          minute */
    Metrics *metrics;
    Metric *charged; /* counts the credits that are charged in the end */
} SettlementsOptions;

/* Starts the thread. 0 or a fault. */
int settlements_new(const SettlementsOptions *options, Settlements **ret_settlements);

/* Keeps it; any thread, never blocks. False: so many are kept that this one is not. */
bool settlements_add(Settlements *settlements, const AccessReservation *reservation, bool charge);

/* Says what is left once more, up to the first that fails, and forgets it. Accepts NULL. */
Settlements *settlements_free(Settlements *settlements);
DEFINE_CLEANUP(Settlements *, settlements_free)
