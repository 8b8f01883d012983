/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The epoch of the logs of a database: a random name that is made with it, and anew when it was
 * restored from a backup. What was written after that backup is gone, and its numbers are given
 * again to other changes: so a cursor is good only in the epoch that it is from.
 */

#include "core/ports/db.h"

#define EPOCH_LEN 16 /* of [0-9a-f] */

/* That of the database; makes one when there is none yet. 0 or a fault. */
int sync_epoch_open(Db *db, char ret_epoch[EPOCH_LEN + 1]);

/* Begins another one: no server may run on the database. 0 or a fault. */
int sync_epoch_renew(Db *db);
