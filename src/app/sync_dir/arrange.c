/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files into the folders of the albums that their photos have come into. Only a file that lies
 * where the library last had it is moved: what somebody has put elsewhere here stays there, and the
 * server is told. The row says so before the file moves, so that whenever we are ended nobody is
 * thought to have moved it.
 */

#include "app/sync_dir/albums.h"
#include "app/sync_dir/sync_dir.h"
#include "base/error.h"

static const char *last_of(Str path, Arena *arena) {
    Str folder = sync_folder_of(path);
    size_t begin = folder.len > 0 ? folder.len + 1 : 0;

    return arena_strdup(arena, (Str){path.ptr + begin, path.len - begin});
}

int photo_is_in(SyncDir *sync, const StateFile *file, Str folder, Arena *arena, bool *ret_is) {
    StateFile *files;
    size_t n;
    bool is = false;
    int r = state_files_of(&sync->state, file->photo, arena, &files, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        is = is || (!str_equal(files[i].path, file->path) &&
                    str_equal(sync_folder_of(files[i].path), folder));
    }
    if (r == 0) {
        *ret_is = is;
    }
    return r;
}

static int move_here(SyncDir *sync, StateFile *file, Str folder) {
    const Str from = file->path;
    struct stat found;
    int r = sync_folder_stat(&sync->folder, from, &found);

    if (r < 0 || !state_file_is(file, &found)) {
        sync->arranged = false;
        return 0; /* the next scan sees what has become of it */
    }
    file->folder = folder;
    r = sync_folder_make(&sync->folder, folder);
    if (r < 0) {
        report_failed_once(&sync->report, from,
                           "its album cannot be a folder here: a file has that name");
        file->move_due = MOVE_NONE;
        return r == -ENOSPC ? r : state_files_put(&sync->state, file, 1);
    }
    file->move_due = MOVE_HERE;
    r = state_files_put(&sync->state, file, 1);
    if (r == 0) {
        r = sync_folder_rename(&sync->folder, from, false, folder, last_of(from, sync->arena),
                               sync->arena, &file->path);
    }
    file->move_due = MOVE_NONE;
    if (r < 0) {
        report_failed_once(&sync->report, from, strerrordesc_np(-r));
        return r == -ENOSPC ? r : state_files_put(&sync->state, file, 1);
    }
    if (sync_folder_stat(&sync->folder, file->path, &found) == 0) {
        state_file_renamed(file, &found);
    }
    sync_folder_tidy(&sync->folder, sync_folder_of(from));
    report_moved(&sync->report, file->path, "is in its album's folder");
    return state_file_move(&sync->state, from, file);
}

static int arrange_file(SyncDir *sync, StateFile *file, Str folder, bool only_note) {
    bool stays = only_note || !str_equal(sync_folder_of(file->path), file->folder);
    int r = 0;

    if (file->move_due == MOVE_HERE) {
        return move_here(sync, file, folder);
    }
    if (str_equal(folder, file->folder) || file->move_due == MOVE_THERE) {
        return 0;
    }
    if (!stays) { /* a copy of what is there already has been put here by somebody */
        r = photo_is_in(sync, file, folder, sync->arena, &stays);
    }
    if (r < 0) {
        return r;
    }
    if (stays) {
        file->folder = folder;
        return state_files_put(&sync->state, file, 1);
    }
    return move_here(sync, file, folder);
}

int arrange(SyncDir *sync) {
    StateAlbum *rows;
    StateFile *files;
    Albums albums;
    size_t n_albums, n;
    int64_t unknown = 0;
    int r;

    if (sync->arranged) {
        return 0;
    }
    sync->arranged = true; /* until something shows that it is not */
    r = state_get_int(&sync->state, STATE_ALBUMS_UNKNOWN, &unknown);

    if (r == 0) {
        r = state_albums(&sync->state, sync->arena, &rows, &n_albums);
    }
    if (r == 0) {
        r = state_files(&sync->state, sync->arena, &files, &n);
    }
    if (r < 0) {
        sync->arranged = false;
        return err_trace(r);
    }
    albums = albums_of(rows, n_albums, sync->arena);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (files[i].photo[0] && !files[i].arriving && !files[i].refused[0]) {
            r = arrange_file(sync, &files[i], albums_folder(&albums, files[i].albums), unknown > 0);
        }
    }
    if (r == 0 && unknown > 0) { /* what lay here before folders were albums stays where it is */
        r = state_set_int(&sync->state, STATE_ALBUMS_UNKNOWN, 0);
    }
    sync->arranged = sync->arranged && r == 0;
    return err_trace(r);
}
