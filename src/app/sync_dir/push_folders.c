/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Up: a folder is an album of its path's name, made when the library has none. A file that has come
 * into a folder has its photo put into that album, and taken out of the one whose folder it left. A
 * folder that became another as a whole renames its album.
 *
 * The library is asked anew what it has, here and for each photo: a device that only sends knows
 * nothing of it.
 */

#include "app/sync_dir/albums.h"
#include "app/sync_dir/sync_dir.h"
#include "base/error.h"

#define STALE_MAX   3
#define ALBUMS_PATH "/v1/albums"

typedef struct Folders {
    SyncDir *sync;
    SyncLink *link;
    StateFile *files; /* whose folder the library has to be told */
    size_t n_files;
    StateAlbum *rows; /* of the library, with room for one more each file */
    size_t n_rows;
    Albums albums; /* the same, to look up */
} Folders;

typedef struct FolderTask {
    const Folders *folders;
    StateFile *file;
} FolderTask;

static void take_album(Folders *work, const json_t *object) {
    const char *id = json_string_value(json_object_get(object, "id"));
    const char *name = json_string_value(json_object_get(json_object_get(object, "state"), "name"));

    if (id && name) {
        work->rows[work->n_rows++] = (StateAlbum){arena_strdup(work->sync->arena, str_from(id)),
                                                  arena_strdup(work->sync->arena, str_from(name))};
    }
}

static int ask_albums(Folders *work) {
    const char *next = "";

    while (next) {
        _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
        const json_t *albums;
        StateAlbum *rows;
        int r;

        sync_link_reset(work->link);
        r = sync_link_call(
            work->link,
            &(SyncLinkCall){.method = "GET",
                            .path = arena_printf(work->link->arena, ALBUMS_PATH "?limit=500%s%s",
                                                 next[0] ? "&after=" : "", next)},
            &answer);
        albums = json_object_get(answer.json, "albums");
        if (r == 0 && (answer.status != 200 || !json_is_array(albums))) {
            work->link->error =
                arena_printf(work->link->arena, "the server does not say which albums it has (%u)",
                             answer.status);
            r = SYNC_LINK_E_AWAY;
        }
        if (r != 0) {
            return r;
        }
        rows =
            arena_alloc(work->sync->arena,
                        (work->n_rows + json_array_size(albums) + work->n_files) * sizeof(*rows));
        if (work->n_rows > 0) {
            memcpy(rows, work->rows, work->n_rows * sizeof(*rows));
        }
        work->rows = rows;
        for (size_t i = 0; i < json_array_size(albums); i++) {
            take_album(work, json_array_get(albums, i));
        }
        next = json_string_value(json_object_get(answer.json, "next"));
        next = next ? arena_strdup(work->sync->arena, str_from(next)) : NULL;
    }
    work->albums = albums_of(work->rows, work->n_rows, work->sync->arena);
    return 0;
}

/* The album of the folder that has become this one as a whole; NULL: there is none. */
static const Album *renamed_from(const Folders *work, const StateFile *file, Str folder) {
    if (file->left.len == 0 || sync_folder_has(&work->sync->folder, file->left)) {
        return NULL;
    }
    for (size_t i = 0; i < work->n_files; i++) {
        if (str_equal(work->files[i].left, file->left) &&
            !str_equal(sync_folder_of(work->files[i].path), folder)) {
            return NULL;
        }
    }
    return albums_find(&work->albums, file->left);
}

static int64_t album_version(Folders *work, const char *id, int *result) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};

    *result = sync_link_call(
        work->link,
        &(SyncLinkCall){.method = "GET",
                        .path = arena_printf(work->link->arena, ALBUMS_PATH "/%s", id)},
        &answer);
    return *result == 0 && answer.status == 200
               ? json_integer_value(json_object_get(answer.json, "version"))
               : 0;
}

/* *ret_done: it has that name now. */
static int rename_album(Folders *work, const Album *album, const char *name, bool *ret_done) {
    _cleanup_(json_decrefp) json_t *body = json_pack("{s:s}", "name", name);
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    int64_t version;
    int r;

    *ret_done = false;
    version = album_version(work, album->id, &r);
    if (r != 0 || version == 0) {
        return r;
    }
    r = sync_link_call(
        work->link,
        &(SyncLinkCall){
            .method = "PATCH",
            .path = arena_printf(work->link->arena, ALBUMS_PATH "/%s", album->id),
            .headers = {arena_printf(work->link->arena, "If-Match: \"%lld\"", (long long)version)},
            .json = body},
        &answer);
    for (size_t i = 0; r == 0 && answer.status == 200 && i < work->n_rows; i++) {
        if (strcmp(work->rows[i].id, album->id) == 0) {
            work->rows[i].name = name;
            *ret_done = true;
        }
    }
    return r;
}

static int make_album(Folders *work, Str folder, const char *name) {
    _cleanup_(json_decrefp) json_t *body = json_pack("{s:s}", "name", name);
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    int r = sync_link_call(
        work->link, &(SyncLinkCall){.method = "POST", .path = ALBUMS_PATH, .json = body}, &answer);

    if (r == 0 && answer.status == 201) {
        take_album(work, answer.json);
    } else if (r == 0) {
        report_failed_once(&work->sync->report, folder,
                           arena_printf(work->link->arena, "cannot be an album: %s (%u)",
                                        answer.reason, answer.status));
    }
    return r;
}

/* Albums for all folders that have none. */
static int make_albums(Folders *work) {
    Arena *arena = work->sync->arena;
    Str refused = str_lit("");
    int r = 0;

    for (size_t i = 0; r == 0 && i < work->n_files; i++) {
        const StateFile *file = &work->files[i];
        Str folder = sync_folder_of(file->path);
        const Album *before;
        bool done = false;
        if (folder.len == 0 || str_equal(folder, refused) || albums_find(&work->albums, folder)) {
            continue;
        }
        sync_link_reset(work->link);
        before = renamed_from(work, file, folder);
        if (before) {
            r = rename_album(work, before, albums_name(folder, arena), &done);
        }
        if (r == 0 && !done) {
            r = make_album(work, folder, albums_name(folder, arena));
        }
        work->albums = albums_of(work->rows, work->n_rows, arena);
        refused = albums_find(&work->albums, folder) ? str_lit("") : folder;
    }
    return r;
}

/* The albums that the photo is to be in, from those it is in: the folder's takes the place of the
 * one that was left. */
static json_t *albums_wanted(const FolderTask *task, const json_t *has, bool keep_left) {
    const Albums *albums = &task->folders->albums;
    const StateFile *file = task->file;
    Str folder = sync_folder_of(file->path);
    const Album *target = folder.len > 0 ? albums_find(albums, folder) : NULL;
    json_t *wanted = json_array();
    bool is_in = !target;

    for (size_t i = 0; i < json_array_size(has); i++) {
        Str id = str_from(json_string_value(json_array_get(has, i)));
        is_in = is_in || albums_is(albums, id, folder);
    }
    for (size_t i = 0; i < json_array_size(has); i++) {
        json_t *one = json_array_get(has, i);
        if (keep_left || file->left.len == 0 ||
            !albums_is(albums, str_from(json_string_value(one)), file->left)) {
            json_array_append(wanted, one);
        } else if (!is_in) {
            json_array_append_new(wanted, json_string(target->id));
            is_in = true;
        }
    }
    if (!is_in) {
        json_array_append_new(wanted, json_string(target->id));
    }
    return wanted;
}

static int ask_photo(SyncLink *link, const char *photo, SyncLinkAnswer *ret_answer) {
    return sync_link_call(
        link,
        &(SyncLinkCall){.method = "GET", .path = arena_printf(link->arena, "/v1/photos/%s", photo)},
        ret_answer);
}

/* The server was told, or does not take it. */
static int settle(SyncDir *sync, const FolderTask *task, SyncLink *link, const json_t *albums) {
    _cleanup_(buf_done) Buf ids = BUF_INIT;
    StateFile *file = task->file;

    for (size_t i = 0; i < json_array_size(albums); i++) {
        buf_addf(&ids, "%s%s", i > 0 ? " " : "", json_string_value(json_array_get(albums, i)));
    }
    if (albums) {
        file->albums = arena_strdup(link->arena, buf_str(&ids));
        file->folder = albums_folder(&task->folders->albums, file->albums);
    }
    file->move_due = MOVE_NONE;
    file->left = str_lit("");
    report_step(&sync->report);
    return state_files_put(&sync->state, file, 1);
}

static bool is_list_of_ids(const json_t *list) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!json_is_string(json_array_get(list, i))) {
            return false;
        }
    }
    return true;
}

/* A CrewWork. */
static int tell_folder(SyncDir *sync, SyncLink *link, void *item) {
    const FolderTask *task = item;
    StateFile *file = task->file;
    bool keep_left, was_left = file->left.len > 0;
    int r = photo_is_in(sync, file, file->left, link->arena, &keep_left);

    for (unsigned n = 0; r == 0 && n < STALE_MAX; n++) {
        _cleanup_(sync_link_answer_done) SyncLinkAnswer photo = {0}, answer = {0};
        _cleanup_(json_decrefp) json_t *patch = NULL;
        const json_t *has;
        json_t *wanted;

        r = ask_photo(link, file->photo, &photo);
        if (r != 0) {
            return r;
        }
        has = json_object_get(json_object_get(photo.json, "state"), "albums");
        if (photo.status != 200 || !is_list_of_ids(has)) {
            return settle(sync, task, link, NULL); /* it has been deleted meanwhile */
        }
        wanted = albums_wanted(task, has, keep_left);
        patch = json_pack("{s:o}", "albums", wanted);
        if (json_equal(has, wanted) || json_array_size(has) + json_array_size(wanted) == 0) {
            return settle(sync, task, link, wanted);
        }
        r = sync_link_call(
            link,
            &(SyncLinkCall){.method = "PATCH",
                            .path = arena_printf(link->arena, "/v1/photos/%s", file->photo),
                            .headers = {arena_printf(link->arena, "If-Match: \"%lld\"",
                                                     (long long)json_integer_value(
                                                         json_object_get(photo.json, "version")))},
                            .json = patch},
            &answer);
        if (r == 0 && answer.status == 200) {
            if (was_left) {
                report_moved(&sync->report, file->path, "is in its folder's album");
            }
            return settle(sync, task, link, wanted);
        }
        if (r == 0 && answer.status != 409 && answer.status != 412) {
            report_failed_once(&sync->report, file->path,
                               arena_printf(link->arena,
                                            "cannot be put into its folder's album: %s (%u)",
                                            answer.reason, answer.status));
            return settle(sync, task, link, NULL);
        }
    }
    return r != 0 ? r : SYNC_DIR_E_OWN; /* others change it all the time: next round */
}

int push_folders(SyncDir *sync, SyncLink *link) {
    Folders work = {.sync = sync, .link = link};
    FolderTask *tasks;
    int r = state_files_moved(&sync->state, sync->arena, &work.files, &work.n_files);

    if (r < 0 || work.n_files == 0) {
        return r;
    }
    sync->arranged = false;
    r = ask_albums(&work);
    if (r == 0) {
        r = make_albums(&work);
    }
    if (r != 0) {
        return r;
    }
    tasks = arena_alloc(sync->arena, work.n_files * sizeof(*tasks));
    for (size_t i = 0; i < work.n_files; i++) {
        tasks[i] = (FolderTask){&work, &work.files[i]};
    }
    report_due(&sync->report, "telling the folder of", work.n_files);
    return crew_run(sync, tell_folder, tasks, sizeof(*tasks), work.n_files, &link->error);
}
