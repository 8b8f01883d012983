/* SPDX-License-Identifier: Apache-2.0 */

/* What the library says of its photos and albums, done to what is known and to the files here. */

#include "app/sync_dir/safe_name.h"
#include "app/sync_dir/sync_dir.h"
#include "base/error.h"

#define ALBUMS_MAX 100 /* that a photo is in */

/* A photo as a change says it is. */
typedef struct Change {
    const char *id, *name, *albums;
    int64_t version, size;
    bool gone; /* removed, or in the trash */
    bool anew; /* of a list of all: it holds, whatever version is known */
} Change;

/* Its photo was deleted: into our trash with it, unless it is another picture by now. */
static int let_go(SyncDir *sync, SyncLink *link, const Change *change, StateFile *file) {
    const StatePhoto photo = {change->id, FATE_TRASHED,    file->name,
                              file->size, change->version, change->albums};
    struct stat found;
    int r = sync_folder_stat(&sync->folder, file->path, &found);

    if (r == 0 && !state_file_is(file, &found)) {
        file->photo = file->name = file->upload = "";
        file->version = 0;
        file->hashed = false;
        file->mtime_ns = -1; /* so that it is looked at, and sent as a new photo */
        sync->again = true;
        report_moved(&sync->report, file->path,
                     "was deleted from the library, but has changed here: it stays");
        return state_files_put(&sync->state, file, 1);
    }
    if (r == 0) {
        r = sync_folder_to_trash(&sync->folder, file->path);
    }
    if (r == 0) {
        report_moved(&sync->report, file->path,
                     "was deleted from the library: it is in .imagesync/trash");
    } else if (r != -ENOENT) {
        report_failed_once(&sync->report, file->path,
                           arena_printf(link->arena, "cannot be put into .imagesync/trash: %s",
                                        strerrordesc_np(-r)));
        return 0;
    }
    return state_file_lose(&sync->state, file->path, &photo);
}

static int apply_gone(SyncDir *sync, SyncLink *link, const Change *change) {
    const StatePhoto *known;
    StateFile *files;
    size_t n;
    int r = state_files_of(&sync->state, change->id, link->arena, &files, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        if (!files[i].refused[0]) {
            r = let_go(sync, link, change, &files[i]);
        }
    }
    if (r == 0) {
        r = state_photo(&sync->state, change->id, link->arena, &known);
    }
    if (r == 0 && n == 0 && known && strcmp(known->fate, FATE_WANTED) == 0) {
        r = state_photo_put(&sync->state,
                            &(StatePhoto){change->id, FATE_TRASHED, known->name, known->size,
                                          change->version, change->albums});
    }
    return r;
}

/* The file of a photo that got another name. */
static int take_name(SyncDir *sync, SyncLink *link, const Change *change, StateFile *file) {
    char local[SAFE_NAME_SIZE], before[SAFE_NAME_SIZE];
    struct stat found;
    Str from = file->path;
    int r;

    safe_name_local(change->name, 1, local);
    safe_name_local(file->name, 1, before);
    file->name = change->name;
    if (strcmp(local, before) == 0 || sync_folder_stat(&sync->folder, from, &found) < 0 ||
        !state_file_is(file, &found)) {
        return state_files_put(&sync->state, file, 1);
    }
    r = sync_folder_rename(&sync->folder, from, false, sync_folder_of(from), change->name,
                           link->arena, &file->path);
    if (r < 0) {
        report_failed_once(&sync->report, from, strerrordesc_np(-r));
        return state_files_put(&sync->state, file, 1);
    }
    if (sync_folder_stat(&sync->folder, file->path, &found) == 0) {
        state_file_renamed(file, &found);
    }
    report_moved(&sync->report, file->path, "has its new name from the library");
    return state_file_move(&sync->state, from, file);
}

static int apply_to_file(SyncDir *sync, SyncLink *link, const Change *change, StateFile *file) {
    const bool was_known = file->version > 0; /* else the server has just made a name of ours */

    if (file->version >= change->version && !file->refused[0] && !change->anew) {
        return 0;
    }
    file->version = change->version;
    file->albums = change->albums;
    if (file->refused[0]) {
        file->refused = ""; /* it was taken out of the trash */
    }
    if (change->name[0] && !file->rename_due && strcmp(file->name, change->name) != 0) {
        if (file->name[0] && was_known) {
            return take_name(sync, link, change, file);
        }
        file->name = change->name;
    }
    return state_files_put(&sync->state, file, 1);
}

static int apply_photo(SyncDir *sync, SyncLink *link, const Change *change) {
    const StatePhoto *known;
    StateFile *files;
    size_t n;
    int r = state_files_of(&sync->state, change->id, link->arena, &files, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = apply_to_file(sync, link, change, &files[i]);
    }
    if (r < 0 || n > 0) {
        return r;
    }
    r = state_photo(&sync->state, change->id, link->arena, &known);
    if (r < 0 ||
        (known && (strcmp(known->fate, FATE_UNKEPT) == 0 || strcmp(known->fate, FATE_DELETE) == 0 ||
                   (known->version >= change->version && !change->anew)))) {
        return r;
    }
    return state_photo_put(&sync->state,
                           &(StatePhoto){change->id, FATE_WANTED, change->name, change->size,
                                         change->version, change->albums});
}

/* Their ids, with blanks between. */
static const char *albums_of_state(const json_t *state, Arena *arena) {
    const json_t *albums = json_object_get(state, "albums");
    _cleanup_(buf_done) Buf ids = BUF_INIT;
    Uuid uuid;

    for (size_t i = 0; i < json_array_size(albums) && i < ALBUMS_MAX; i++) {
        const char *id = json_string_value(json_array_get(albums, i));
        if (id && uuid_parse(str_from(id), &uuid) == 0) {
            buf_addf(&ids, "%s%s", ids.len > 0 ? " " : "", id);
        }
    }
    return arena_strdup(arena, buf_str(&ids));
}

static int apply_album(SyncDir *sync, const char *id, const json_t *state) {
    const char *name = json_string_value(json_object_get(state, "name"));

    return state ? state_album_put(&sync->state, &(StateAlbum){id, name ? name : ""})
                 : state_album_remove(&sync->state, id);
}

static int apply(SyncDir *sync, SyncLink *link, const json_t *object, bool anew) {
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const char *id = json_string_value(json_object_get(object, "id"));
    const json_t *state = json_object_get(object, "state");
    const char *name = json_string_value(json_object_get(state, "name"));
    const Change change = {.id = id,
                           .name = name ? name : "",
                           .albums = albums_of_state(state, link->arena),
                           .version = json_integer_value(json_object_get(object, "version")),
                           .size = json_integer_value(json_object_get(state, "size")),
                           .gone =
                               !state || json_integer_value(json_object_get(state, "trashed")) > 0,
                           .anew = anew};
    Uuid uuid;

    if (!kind || !id || uuid_parse(str_from(id), &uuid) < 0 ||
        json_is_true(json_object_get(object, "unreadable"))) {
        return 0; /* what the server cannot read it still has */
    }
    if (strcmp(kind, "album") == 0) {
        return apply_album(sync, id, state);
    }
    if (strcmp(kind, "photo") != 0) {
        return 0; /* edits are no files */
    }
    return change.gone ? apply_gone(sync, link, &change) : apply_photo(sync, link, &change);
}

int apply_objects(SyncDir *sync, SyncLink *link, const json_t *objects, bool anew) {
    const json_t *object;
    size_t i;
    int r = 0;

    sync->arranged = sync->arranged && json_array_size(objects) == 0;
    json_array_foreach(objects, i, object) {
        r = apply(sync, link, object, anew);
        if (r < 0) {
            break;
        }
    }
    return r;
}
