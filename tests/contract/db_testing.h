/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the suites of the database port share. They run on any engine: argv[1] is a URL that
 * db_engine_open() knows. All they make lies in tables named contract_*, which they drop first.
 */

#include "base/test.h"
#include "core/ports/db.h"

/*
 * Opens the database of a URL ("sqlite:PATH", "postgresql://..."); the one place where an adapter
 * joins the suites. 0, or a fault after having said why on standard error.
 */
int db_engine_open(const char *url, Db **ret_db);

/* A statement to run in a transaction, and what became of it. */
typedef struct Step {
    const DbStatement *statement;
    const DbValue *params;
    size_t rows_max; /* of a statement that gives rows */
    int r;
    uint64_t changed;
    DbRows rows;
} Step;

/* The userdata of run_steps(). */
typedef struct Steps {
    Step *steps;
    size_t n_steps;
    Arena *arena;
    bool go_on; /* past what failed, and returns `result` nonetheless */
    int result; /* what the work returns when all is done */
    unsigned runs;
} Steps;

#define PARAMS(...) ((const DbValue[]){__VA_ARGS__})
#define STEPS(arena_, ...)                                                                         \
    ((Steps){.steps = (Step[]){__VA_ARGS__},                                                       \
             .n_steps = sizeof((Step[]){__VA_ARGS__}) / sizeof(Step),                              \
             .arena = (arena_)})

/* DbWork: runs each step and keeps what it gave; returns the first that is not 0, else `result`. */
int run_steps(DbTx *tx, void *userdata);
/* DbWork: runs `userdata`, a const char *, as a script. */
int run_script(DbTx *tx, void *userdata);

/* The tables: contract_item and contract_part, which refers to it. Made anew, empty. */
void db_testing_tables(Db *db);

/* By what the suites' statements do; see db_testing.c for their SQL. */
typedef enum StatementId {
    ITEM_ADD,                   /* id, word, bytes */
    ITEM_ADD_OR_NOT,            /* the same, on conflict nothing */
    ITEM_ADD_RETURNING,         /* the same; id, bytes */
    ITEM_GET,                   /* id; word, bytes */
    ITEM_COUNT,                 /* ; count */
    ITEM_LIST,                  /* ; id, word, bytes by id */
    ITEM_BYTES,                 /* ; bytes by id */
    ITEM_RENAME,                /* word, id */
    ITEM_RENAME_FROM_RETURNING, /* bytes, lowest id; id, word */
    ITEM_REMOVE,                /* id */
    ITEM_REMOVE_RETURNING,      /* id; word */
    PART_ADD,                   /* item_id, amount */
    PART_GET,                   /* item_id; amount */
    PART_SET,                   /* amount, item_id */
    PART_SUM,                   /* ; the sum of all amounts */
    _STATEMENTS_MAX,
} StatementId;
extern const DbStatement statements[_STATEMENTS_MAX];

/* How many rows contract_item has, read in a transaction of its own. */
int64_t count_items(Db *db);
/* The amount of a part, likewise; -1 when there is none. */
int64_t part_amount(Db *db, int64_t item_id);
/* An item and its part, in a transaction of their own. */
void add_part(Db *db, int64_t item_id, int64_t amount);
