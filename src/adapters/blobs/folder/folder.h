/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Blobs as files of one folder:
 *
 *   imagesync-blobs   the marker: the store's id
 *   blobs/NAME        each written elsewhere, synced, then linked into place
 *   stages/NAME       those that grow
 *   tmp/              what is being written; what is a day old goes at the start
 *
 * The folder is opened once: what happens to its path afterwards does not matter.
 */

#include "core/ports/blobs.h"

/*
 * `id` "": the store's first use. The folder (not those above it) is made when it is missing, and
 * the marker too, but only in an empty folder; else the id of the one that is there is taken. Any
 * other `id` has to be the marker's. ret_id is NUL-terminated. 0; -ENOMEDIUM with a sentence in
 * *reterr (a literal): it is not that store; or a fault: -EACCES, -ENOTDIR ...
 */
int blobs_folder_new(const char *path, const char *id, Blobs **ret_blobs,
                     char ret_id[BLOB_STORE_ID_LEN + 1], const char **reterr);
