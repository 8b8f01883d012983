/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The end of somebody's library (docs/decisions/0020): `tables` lists all tables that are this
 * service's and have rows of users. Any thread; blocks. */

#include "core/contracts/library_service.h"
#include "services/sync/internal.h"

/* Prepares the statements, as db_check(). */
int library_erase_check(Db *db, const char **reterr_name);

/* erase() of core/contracts/library_service.h, asked of the SyncLibraryService that `self` is. */
int library_erase(LibraryService *self, const Uuid *user_id, json_t *rows);
