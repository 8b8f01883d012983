/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What lies in the store and is nobody's: left by a crash between the store and the database, or by
 * a person who was erased, whose rows went with the keys. It is removed when no row has had its
 * name for the setting blob-grace-s, by the store's clock, and in two looks of this process, by a
 * clock that cannot be set. Never the other way round: a row whose blob is missing is for
 * `imagesync check`.
 */

#include "services/sync/internal.h"

typedef struct Orphans Orphans; /* those of the last look */

Orphans *orphans_new(void);
Orphans *orphans_free(Orphans *orphans); /* accepts NULL */

extern const DbStatement orphan_statements[];
extern const size_t orphan_statements_len;

/* Whether that is the name of an upload, of which a crash may have left the blob: it goes when the
 * upload's time is over, or becomes a photo's. In a transaction that only reads. 0 or a fault. */
int orphans_is_uploads(DbTx *tx, Str name, Arena *arena, bool *ret_is);

/* Looks through a whole area of the store and removes what is due. `goes_on` is asked between its
 * steps and may end it. 0 or a fault. */
typedef bool OrphansGoOn(void *userdata);
int orphans_look(Orphans *orphans, SyncService *service, BlobArea area, OrphansGoOn *goes_on,
                 void *userdata, size_t *ret_n_removed);
