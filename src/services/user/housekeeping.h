/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What this service does by itself from time to time: one thread of the process that runs a table
 * of chores (chores.c), one after another. Several servers on one database share the work: a chore
 * is taken with a lease in the table user_chore, which lapses when its holder dies, and is done
 * once a period by whoever is first. Their clocks must agree to within a minute, as everywhere.
 *
 * A chore that fails is logged and tried again, the later the more often it has failed, but never
 * later than a period. Because a lease may lapse under a server that stands still, what a chore
 * does must be right also when two do it at once: each step in a transaction that looks again.
 */

#include "services/user/internal.h"

typedef struct Housekeeping Housekeeping;

/* Once; a part of it is fine: what is left comes next time. 0, or a fault. */
typedef int HousekeepingWork(UserService *service, Housekeeping *housekeeping);

typedef struct HousekeepingChore {
    const char *name;  /* in the table and the metrics */
    uint32_t period_s; /* at most as long as the setting housekeeping-s says */
    HousekeepingWork *work;
} HousekeepingChore;

/* The one list, which ends with a chore without name. */
extern const HousekeepingChore housekeeping_chores[];

#define HOUSEKEEPING_LEASE_S 120

/* `chores` must outlive it; so must what `service` has been given so far. */
Housekeeping *housekeeping_new(UserService *service, const HousekeepingChore *chores);
Housekeeping *housekeeping_free(Housekeeping *housekeeping); /* accepts NULL */

/* Starts the thread. 0 or a fault. */
int housekeeping_start(Housekeeping *housekeeping);
/* Has the chore under way stop at its next housekeeping_goes_on() and ends the thread, if there is
 * one. */
void housekeeping_stop(Housekeeping *housekeeping);

/*
 * For a chore, between its steps, which must be shorter than the lease: renews that. False: the
 * server ends, or another one has the chore now; it returns 0 at once.
 */
bool housekeeping_goes_on(Housekeeping *housekeeping);

/* Has a chore done now and not in its time; a name that no chore has is ignored. Any thread. */
void housekeeping_wake(Housekeeping *housekeeping, const char *name);
