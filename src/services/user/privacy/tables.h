/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the rows of a user are that are this service's: every table with a column user_id. Whoever
 * adds one adds it here too. Those of a library are the sync service's to erase
 * (core/contracts/library_service.h).
 */

#include "core/erasure/erased_table.h"

/* Prepares the statements, as db_check(). */
int privacy_tables_check(Db *db, const char **reterr_name);

/* Deletes all rows of a user, the key last, and adds to `rows` how many of each table. */
int privacy_tables_erase(DbTx *tx, const Uuid *user_id, json_t *rows);
