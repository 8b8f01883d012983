/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which store of blobs belongs to this database: its marker's id (core/ports/blobs.h), kept at the
 * first start. Another store, or an empty one, would look as if all files were lost.
 */

#include "core/ports/blobs.h"
#include "core/ports/db.h"

/* "" when none was kept yet. 0 or a fault. */
int sync_store_id_get(Db *db, char ret_id[BLOB_STORE_ID_LEN + 1]);
/* Where there is none: another process may have kept one meanwhile, which is given back then. */
int sync_store_id_keep(Db *db, char id[BLOB_STORE_ID_LEN + 1]);
/* Of a database that was restored, whose files are in a new store now. */
int sync_store_id_set(Db *db, const char id[BLOB_STORE_ID_LEN + 1]);
