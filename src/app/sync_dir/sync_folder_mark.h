/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The mark by which a folder is known again: its id, in it and apart from it. */

#include "app/sync_dir/sync_folder.h"

/*
 * Compares the folder's id, which it fills in, with what is known elsewhere of that path. `is_new`:
 * it has none. 0, or -ESTALE or a fault with a whole sentence, in the arena.
 */
int sync_folder_mark_check(SyncFolder *folder, bool is_new, Arena *arena, const char **reterr_text);

/* Writes both: a new id when `is_new`. 0 or a fault. */
int sync_folder_mark_make(SyncFolder *folder, bool is_new, Arena *arena);
