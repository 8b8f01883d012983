/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Down: what changed in the library since the last time, page by page. What is to be downloaded is
 * noted before the cursor moves, so nothing is forgotten; a page that is read twice does no harm.
 * When the server has forgotten how it came to be (410), all objects are listed anew; nothing is
 * taken away here then that the server does not say is deleted. When that is because the server was
 * restored from a backup, what it lacks and has no tombstone for was lost there, and is sent again.
 */

#include "app/sync_dir/pull.h"
#include "app/sync_dir/safe_name.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>

/* A photo as a change says it is. */
typedef struct Change {
    const char *id, *name;
    int64_t version, size;
    bool gone; /* removed, or in the trash */
    bool anew; /* versions that we know are of a log that is no more: this is what holds */
} Change;

static bool is_unchanged(const StateFile *file, const struct stat *found) {
    return found->st_size == file->size && (int64_t)found->st_ino == file->inode &&
           (int64_t)found->st_mtim.tv_sec * 1000000000 + found->st_mtim.tv_nsec == file->mtime_ns;
}

/* Its photo was deleted: into our trash with it, unless it is another picture by now. */
static int let_go(SyncDir *sync, SyncLink *link, const Change *change, StateFile *file) {
    const StatePhoto photo = {change->id, FATE_TRASHED, file->name, file->size, change->version};
    struct stat found;
    int r = sync_folder_stat(&sync->folder, file->path, &found);

    if (r == 0 && !is_unchanged(file, &found)) {
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
        r = state_photo_put(&sync->state, &(StatePhoto){change->id, FATE_TRASHED, known->name,
                                                        known->size, change->version});
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
        !is_unchanged(file, &found)) {
        return state_files_put(&sync->state, file, 1);
    }
    r = sync_folder_rename(&sync->folder, from, false, change->name, link->arena, &file->path);
    if (r < 0) {
        report_failed_once(&sync->report, from, strerrordesc_np(-r));
        return state_files_put(&sync->state, file, 1);
    }
    report_moved(&sync->report, file->path, "has its new name from the library");
    return state_file_move(&sync->state, from, file);
}

static int apply_to_file(SyncDir *sync, SyncLink *link, const Change *change, StateFile *file) {
    const bool was_known = file->version > 0; /* else the server has just made a name of ours */

    if (!change->anew && file->version >= change->version && !file->refused[0]) {
        return 0;
    }
    file->version = change->version;
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
                   (!change->anew && known->version >= change->version)))) {
        return r;
    }
    return state_photo_put(&sync->state, &(StatePhoto){change->id, FATE_WANTED, change->name,
                                                       change->size, change->version});
}

int pull_apply(SyncDir *sync, SyncLink *link, const json_t *object, bool anew) {
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const char *id = json_string_value(json_object_get(object, "id"));
    const json_t *state = json_object_get(object, "state");
    const char *name = json_string_value(json_object_get(state, "name"));
    const Change change = {.id = id,
                           .name = name ? name : "",
                           .version = json_integer_value(json_object_get(object, "version")),
                           .size = json_integer_value(json_object_get(state, "size")),
                           .gone =
                               !state || json_integer_value(json_object_get(state, "trashed")) > 0,
                           .anew = anew};
    Uuid uuid;

    if (!kind || strcmp(kind, "photo") != 0 || !id || uuid_parse(str_from(id), &uuid) < 0) {
        return 0; /* albums and edits are no files */
    }
    return change.gone ? apply_gone(sync, link, &change) : apply_photo(sync, link, &change);
}

int pull_apply_all(SyncDir *sync, SyncLink *link, const json_t *objects, bool anew) {
    const json_t *object;
    size_t i;
    int r = 0;

    json_array_foreach(objects, i, object) {
        r = pull_apply(sync, link, object, anew);
        if (r < 0) {
            break;
        }
    }
    return r;
}

int pull_odd_answer(SyncLink *link, const SyncLinkAnswer *answer) {
    link->error = arena_printf(link->arena, "the server does not say what has changed (%u) %s",
                               answer->status, answer->reason);
    return SYNC_LINK_E_AWAY;
}

int pull_keep_position(SyncDir *sync, int64_t seq, const char *position) {
    int r = state_set(&sync->state, "position", position ? position : "");

    return r == 0 ? state_set_int(&sync->state, "cursor", seq) : r;
}

int pull_get_changes(SyncLink *link, const char *since, SyncLinkAnswer *ret_answer) {
    int r;

    sync_link_reset(link);
    r = sync_link_call(
        link,
        &(SyncLinkCall){.method = "GET",
                        .path = arena_printf(link->arena, "/v1/changes?since=%s&limit=%d", since,
                                             PULL_PAGE_LIMIT)},
        ret_answer);
    if (r != 0 || ret_answer->status == 410) {
        return r != 0                                                        ? r
               : json_is_true(json_object_get(ret_answer->json, "restored")) ? PULL_E_RESTORED
                                                                             : PULL_E_TOO_OLD;
    }
    return ret_answer->status == 200 && json_is_integer(json_object_get(ret_answer->json, "next"))
               ? 0
               : pull_odd_answer(link, ret_answer);
}

static int pull_page(SyncDir *sync, SyncLink *link, int64_t *cursor, Buf *position,
                     int64_t *ret_horizon) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    const char *text;
    int64_t next;
    int r = pull_get_changes(link, buf_cstr(position), &answer);

    *ret_horizon = json_integer_value(json_object_get(answer.json, "horizon"));
    if (r == 0) {
        r = pull_apply_all(sync, link, json_object_get(answer.json, "changes"), false);
    }
    if (r != 0) {
        return r;
    }
    next = json_integer_value(json_object_get(answer.json, "next"));
    text = json_string_value(json_object_get(answer.json, "cursor"));
    text = text ? text : arena_printf(link->arena, "%" PRId64, next); /* of an older server */
    if (!str_equal(str_from(text), buf_str(position))) {
        *cursor = next;
        buf_done(position);
        buf_add_str(position, str_from(text));
        r = pull_keep_position(sync, next, text);
    }
    return r == 0 && json_is_true(json_object_get(answer.json, "more")) ? PULL_E_MORE : r;
}

/* How far this device is, for whoever looks at the list of them. Of no use to us. */
static int acknowledge(SyncLink *link, int64_t cursor) {
    _cleanup_(json_decrefp) json_t *body = json_pack("{s:I}", "seq", (json_int_t)cursor);
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    int r;

    sync_link_reset(link);
    r = sync_link_call(
        link, &(SyncLinkCall){.method = "PUT", .path = "/v1/devices/me/cursor", .json = body},
        &answer);
    return r == -EINTR ? r : 0;
}

/* Where the last pull got to; before there were epochs that was a number alone. */
static int load_position(SyncDir *sync, SyncLink *link, int64_t *ret_cursor, Buf *position) {
    const char *text = "";
    int r = state_get_int(&sync->state, "cursor", ret_cursor);

    if (r == 0) {
        r = state_get(&sync->state, "position", link->arena, &text);
    }
    if (r == 0 && text[0]) {
        buf_add_str(position, str_from(text));
    } else if (r == 0) {
        buf_addf(position, "%" PRId64, *ret_cursor);
    }
    return r;
}

static int pull_changes(SyncDir *sync, SyncLink *link) {
    _cleanup_(buf_done) Buf position = BUF_INIT;
    int64_t cursor = 0, before, horizon = 0;
    int r = load_position(sync, link, &cursor, &position);

    before = cursor;
    if (r < 0) {
        return r;
    }
    do {
        r = pull_page(sync, link, &cursor, &position, &horizon);
    } while (r == PULL_E_MORE);
    if (r == PULL_E_TOO_OLD || r == PULL_E_RESTORED) {
        r = resync(sync, link, r == PULL_E_RESTORED, horizon);
    } else if (r == 0 && cursor != before) {
        r = acknowledge(link, cursor);
    }
    return r;
}

/* Whether a file of that length is still being written: it may be that photo. */
static bool may_be_here(const SyncDir *sync, const StatePhoto *photo) {
    for (size_t i = 0; sync->scan.n_unsettled > 0 && i < sync->scan.n_files; i++) {
        if (!sync->scan.files[i].settled && sync->scan.files[i].size == photo->size) {
            return true;
        }
    }
    return false;
}

static int pull_photos(SyncDir *sync, SyncLink *link) {
    DownloadTask *tasks;
    StatePhoto *photos;
    size_t n, n_tasks = 0;
    int r = state_photos(&sync->state, FATE_WANTED, sync->arena, &photos, &n);

    if (r < 0) {
        return r;
    }
    tasks = arena_alloc(sync->arena, (n + 1) * sizeof(*tasks));
    for (size_t i = 0; i < n; i++) {
        if (!may_be_here(sync, &photos[i])) {
            tasks[n_tasks++].photo = photos[i];
        }
    }
    report_due(&sync->report, n_tasks);
    return crew_run(sync, download_photo, tasks, sizeof(*tasks), n_tasks, &link->error);
}

int pull(SyncDir *sync, SyncLink *link) {
    int r = pull_changes(sync, link);

    return r == 0 ? pull_photos(sync, link) : r;
}
