/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/albums.h"

#include "app/sync_dir/safe_name.h"
#include "app/sync_dir/scan.h"

#include <stdlib.h>

static int compare_ids(const void *a, const void *b) {
    return strcmp(((const Album *)a)->id, ((const Album *)b)->id);
}

static int compare_folders(const void *a, const void *b) {
    const Album *one = *(const Album *const *)a, *other = *(const Album *const *)b;
    int order = scan_compare(one->folder, other->folder);

    return order != 0 ? order : compare_ids(one, other);
}

static Str folder_of(const char *name, Arena *arena) {
    _cleanup_(buf_done) Buf folder = BUF_INIT;

    safe_name_folder(name, &folder);
    return str_from(arena_strdup(arena, buf_str(&folder)));
}

Albums albums_of(const StateAlbum *albums, size_t n, Arena *arena) {
    Albums made = {.by_id = arena_alloc(arena, (n + 1) * sizeof(Album)),
                   .by_folder = arena_alloc(arena, (n + 1) * sizeof(Album *)),
                   .n = n};

    for (size_t i = 0; i < n; i++) {
        made.by_id[i] = (Album){albums[i].id, folder_of(albums[i].name, arena)};
        made.by_folder[i] = &made.by_id[i];
    }
    if (n > 1) {
        qsort(made.by_id, n, sizeof(*made.by_id), compare_ids);
        qsort(made.by_folder, n, sizeof(*made.by_folder), compare_folders);
    }
    return made;
}

static const Album *find_id(const Albums *albums, Str id) {
    size_t low = 0, high = albums->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = scan_compare(str_from(albums->by_id[middle].id), id);
        if (order == 0) {
            return &albums->by_id[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

Str albums_folder(const Albums *albums, const char *ids) {
    Str rest = str_from(ids), id;

    while (str_next_token(&rest, " ", &id)) {
        const Album *album = find_id(albums, id);
        if (album && album->folder.len > 0) {
            return album->folder;
        }
    }
    return str_lit("");
}

const char *albums_name(Str folder, Arena *arena) {
    _cleanup_(buf_done) Buf name = BUF_INIT;

    safe_name_sent(folder, &name);
    return arena_strdup(arena, buf_str(&name));
}

/* What the folder would be if it came from the library: the same, unless its name is an odd one. */
static Str as_it_comes(Str folder, Arena *arena) {
    return folder_of(albums_name(folder, arena), arena);
}

const Album *albums_find(const Albums *albums, Str folder) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str wanted = as_it_comes(folder, arena);
    size_t low = 0, high = albums->n;

    while (low < high) { /* the first at or after that folder */
        size_t middle = low + (high - low) / 2;
        if (scan_compare(albums->by_folder[middle]->folder, wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return wanted.len > 0 && low < albums->n && str_equal(albums->by_folder[low]->folder, wanted)
               ? albums->by_folder[low]
               : NULL;
}

bool albums_is(const Albums *albums, Str id, Str folder) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const Album *album = find_id(albums, id);

    return album && album->folder.len > 0 && str_equal(album->folder, as_it_comes(folder, arena));
}
