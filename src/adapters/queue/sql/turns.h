/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fairness between users, by start-time fair queuing (P. Goyal, H. Vin, H. Cheng, 1996) with the
 * job as the unit: a job's turn is one more than that of its user's last, and at least one more
 * than the turn that is being served. Whoever comes newly is behind one or two jobs of each other
 * user, however many they have; whoever is away gains nothing by it.
 */

#include "core/ports/db.h"
#include "core/ports/queue.h"

#include <pthread.h>

#define TURNS_SIZE 1024

/* The turns given lately, which the database may not show yet. Thread-safe. */
typedef struct Turns {
    pthread_mutex_t lock;
    struct {
        uint64_t flow;
        int64_t turn;
        uint64_t at_ms;
    } last[TURNS_SIZE];
} Turns;

void turns_init(Turns *turns);
void turns_done(Turns *turns);

/* The least turn that a job of that user may have there, as the database shows it. 0 or a fault. */
int turns_read(DbTx *tx, const Uuid *user_id, const char *kind, int64_t lane, Arena *arena,
               int64_t *ret_turn);

/* That turn, or a later one when this process has just given it away. */
int64_t turns_give(Turns *turns, const Uuid *user_id, const char *kind, int64_t lane,
                   int64_t least);
