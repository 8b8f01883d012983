/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whether a library is whole: its log has no gap, its objects and the tables that find them are
 * what the log comes to, and its files are counted rightly. Memory does not depend on the library.
 */

#include "services/sync/objects.h"

/* Told what is wrong, in a sentence without an end; lives as long as the call. */
typedef void CheckFound(const char *text, void *userdata);

int library_check_statements(Db *db, const char **reterr_name);

/* In one snapshot of the database, so a server may run meanwhile. 0, also when something was found;
 * or a fault. */
int library_check(Db *db, const UserKey *key, CheckFound *found, void *userdata);
