/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The keys of users, wrapped by the master key, apart from a copy of the database: whoever has only
 * one of the two can read nobody's data, and once the keys from before an erasure are gone, nobody
 * can in any backup.
 */

#include "base/str.h"
#include "core/ports/db.h"

/* Takes all keys out of a database that is a copy: a line for each is added to `out`. 0 or a fault.
 */
int key_backup_take(Db *copy, Buf *out);

enum {
    KEY_BACKUP_E_FORM = 1, /* what was given is not what key_backup_take() wrote */
};

/* Puts them in; those that are there stay. 0, a condition, or a fault. */
int key_backup_put(Db *db, Str text);
