/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which folder an album is, and which album a folder. A folder's path is the name of its album;
 * what a name cannot be here is changed as in safe_name_folder(), so several albums can be one
 * folder. Read-only once made: any number of threads may look.
 */

#include "app/sync_dir/state_store.h"

typedef struct Album {
    const char *id;
    Str folder; /* "": it is none, its photos lie in DIR itself */
} Album;

typedef struct Albums {
    Album *by_id;
    const Album **by_folder;
    size_t n;
} Albums;

/* Of albums in any order; what is returned is in the arena, and borrows the ids. */
Albums albums_of(const StateAlbum *albums, size_t n, Arena *arena);

/* The folder of a photo in these albums (ids with blanks between): that of the first of them that
 * there is and that is a folder; else "". */
Str albums_folder(const Albums *albums, const char *ids);

/* The album that a folder is, the oldest of several; NULL: there is none. */
const Album *albums_find(const Albums *albums, Str folder);

/* Whether the album is that folder. */
bool albums_is(const Albums *albums, Str id, Str folder);

/* What the library calls a folder: UTF-8 without control characters. */
const char *albums_name(Str folder, Arena *arena);
