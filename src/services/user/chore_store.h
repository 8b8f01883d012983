/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The table user_chore: who does what in the background, and when it is due again. */

#include "base/uuid.h"
#include "core/ports/db.h"

typedef struct ChoreLease {
    const char *name;
    Uuid holder; /* who asks */
    int64_t now_us, period_us;
    int64_t until_us; /* how long it is wanted for */
    bool early;       /* also before it is due */
    Arena *arena;

    int64_t free_us; /* CHORE_E_LATER: when to ask again */
} ChoreLease;

enum {
    CHORE_E_LATER = 1, /* another has it, or it is not due */
    CHORE_E_LOST,      /* another has it now */
};

extern const DbStatement chore_statements[];
extern const size_t chore_statements_len;

/* 0 or CHORE_E_LATER. */
int chore_store_take(DbTx *tx, ChoreLease *lease);
/* Until another time. 0 or CHORE_E_LOST. */
int chore_store_renew(DbTx *tx, const ChoreLease *lease);
/* It is free, and due again at `due_us`. 0 or CHORE_E_LOST. */
int chore_store_release(DbTx *tx, const ChoreLease *lease, int64_t due_us);
