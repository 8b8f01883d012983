/* SPDX-License-Identifier: Apache-2.0 */

/* Up: the library is asked which contents it has, and gets the others; then new names, and what is
 * to go to its trash. */

#include "app/sync_dir/safe_name.h"
#include "app/sync_dir/sync_dir.h"
#include "base/error.h"

#include <stdio.h>

#define ROUNDS_MAX 3
#define STALE_MAX  3
#define PHOTO_PATH "/v1/photos/%s"

int check_contents(SyncLink *link, const StateFile *files, size_t n, json_t **ret_answers) {
    _cleanup_(json_decrefp) json_t *asked = json_object(), *list = json_array();
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    char hex[DIGEST_HEX_SIZE];
    int r;

    for (size_t i = 0; i < n; i++) {
        hex_encode((Str){(const char *)files[i].sha256, DIGEST_LEN}, hex);
        json_array_append_new(
            list, json_pack("{s:s,s:I}", "sha256", hex, "size", (json_int_t)files[i].size));
    }
    json_object_set(asked, "files", list);
    r = sync_link_call(
        link, &(SyncLinkCall){.method = "POST", .path = "/v1/uploads/check", .json = asked},
        &answer);
    if (r != 0) {
        return r;
    }
    if (answer.status != 200 || json_array_size(json_object_get(answer.json, "files")) != n) {
        link->error = arena_printf(link->arena, "the server does not say what it has (%u) %s",
                                   answer.status, answer.reason);
        return SYNC_DIR_E_OWN;
    }
    *ret_answers = json_incref(json_object_get(answer.json, "files"));
    return 0;
}

/* What the library says of a file. *ret_send: it is to be sent. */
static int take_answer(SyncDir *sync, StateFile *file, const json_t *answer, bool *ret_send) {
    const char *status = json_string_value(json_object_get(answer, "status"));
    const char *photo = json_string_value(json_object_get(answer, "photo"));
    Uuid id;

    *ret_send = status && strcmp(status, "unknown") == 0;
    if (!status || *ret_send) {
        return 0;
    }
    file->photo = photo && uuid_parse(str_from(photo), &id) == 0
                      ? arena_strdup(sync->arena, str_from(photo))
                      : "";
    file->upload = "";
    if (strcmp(status, "known") == 0 && file->photo[0]) {
        return state_file_arrive(&sync->state, file);
    }
    if (strcmp(status, "deleted") == 0) {
        file->refused = "it was deleted from the library";
        report_moved(&sync->report, file->path, "was deleted from the library: it is not sent");
        return state_files_put(&sync->state, file, 1);
    }
    return 0;
}

static bool is_in(const UploadTask *tasks, size_t n, const StateFile *file) {
    for (size_t i = 0; i < n; i++) {
        if (memcmp(tasks[i].file.sha256, file->sha256, DIGEST_LEN) == 0) {
            return true;
        }
    }
    return false;
}

/* Of up to CHECK_MAX files, those that are to be sent; of the same content one. */
static int check_batch(SyncDir *sync, SyncLink *link, StateFile *files, size_t n, UploadTask *tasks,
                       size_t *n_tasks) {
    _cleanup_(json_decrefp) json_t *answers = NULL;
    size_t first = *n_tasks;
    int r;

    sync_link_reset(link);
    r = check_contents(link, files, n, &answers);
    for (size_t i = 0; r == 0 && i < n; i++) {
        bool send;
        r = take_answer(sync, &files[i], json_array_get(answers, i), &send);
        if (send && !is_in(tasks + first, *n_tasks - first, &files[i])) {
            tasks[(*n_tasks)++].file = files[i];
        }
    }
    return r;
}

static int push_files(SyncDir *sync, SyncLink *link) {
    size_t n = 0, before = SIZE_MAX;
    int r = 0;

    for (unsigned round = 0; r == 0 && round < ROUNDS_MAX; round++) {
        UploadTask *tasks;
        StateFile *files;
        size_t n_tasks = 0;

        r = state_files_waiting(&sync->state, sync->arena, &files, &n);
        if (r < 0 || n == 0 || n >= before) {
            return r;
        }
        before = n;
        tasks = arena_alloc(sync->arena, n * sizeof(*tasks));
        for (size_t i = 0; r == 0 && i < n; i += CHECK_MAX) {
            r = check_batch(sync, link, files + i, MIN(n - i, (size_t)CHECK_MAX), tasks, &n_tasks);
        }
        if (r != 0 || sync->pull_only) {
            return r;
        }
        report_due(&sync->report, "sending", n_tasks);
        r = crew_run(sync, upload_file, tasks, sizeof(*tasks), n_tasks, &link->error);
    }
    return r;
}

/* The photo's version, from the server; 0: it has none. */
static int ask_version(SyncLink *link, const char *photo, int64_t *ret_version) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    int r = sync_link_call(
        link,
        &(SyncLinkCall){.method = "GET", .path = arena_printf(link->arena, PHOTO_PATH, photo)},
        &answer);

    if (r == 0) {
        *ret_version =
            answer.status == 200 ? json_integer_value(json_object_get(answer.json, "version")) : 0;
    }
    return r;
}

/* A merge patch of the name alone, against whatever version there is: the name that was given here
 * last wins. */
static int rename_at_server(SyncLink *link, StateFile *file, const char *name) {
    _cleanup_(json_decrefp) json_t *patch = json_pack("{s:s}", "name", name);
    int r = 0;

    for (unsigned n = 0; n < STALE_MAX; n++) {
        _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
        if (file->version == 0) {
            r = ask_version(link, file->photo, &file->version);
        }
        if (r != 0 || file->version == 0) {
            return r;
        }
        r = sync_link_call(
            link,
            &(SyncLinkCall){.method = "PATCH",
                            .path = arena_printf(link->arena, PHOTO_PATH, file->photo),
                            .headers = {arena_printf(link->arena, "If-Match: \"%lld\"",
                                                     (long long)file->version)},
                            .json = patch},
            &answer);
        if (r != 0) {
            return r;
        }
        if (answer.status == 200) {
            file->version = json_integer_value(json_object_get(answer.json, "version"));
            return 0;
        }
        file->version = 0;
        if (answer.status != 409 && answer.status != 412) {
            return 0; /* it does not take that name, or has lost the photo: so be it */
        }
    }
    return 0;
}

static int push_names(SyncDir *sync, SyncLink *link) {
    StateFile *files;
    size_t n;
    int r = state_files_renamed(&sync->state, sync->arena, &files, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        _cleanup_(buf_done) Buf name = BUF_INIT;
        StateFile *file = &files[i];
        const char *slash = memrchr(file->path.ptr, '/', file->path.len);
        safe_name_sent(slash ? str_from(slash + 1) : file->path, &name);
        sync_link_reset(link);
        r = strcmp(file->name, buf_cstr(&name)) == 0
                ? 0
                : rename_at_server(link, file, buf_cstr(&name));
        if (r == 0) {
            file->name = buf_cstr(&name);
            file->rename_due = false;
            r = state_files_put(&sync->state, file, 1);
            report_moved(&sync->report, file->path, "has its new name in the library");
        }
    }
    return r;
}

static int push_deletions(SyncDir *sync, SyncLink *link) {
    StatePhoto *photos;
    size_t n;
    int r = state_photos(&sync->state, FATE_DELETE, sync->arena, &photos, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
        sync_link_reset(link);
        r = sync_link_call(
            link,
            &(SyncLinkCall){.method = "DELETE",
                            .path = arena_printf(link->arena, PHOTO_PATH, photos[i].id)},
            &answer);
        if (r == 0) {
            photos[i].fate = FATE_UNKEPT;
            r = state_photo_put(&sync->state, &photos[i]);
            report_moved(&sync->report, str_from(photos[i].name),
                         answer.status < 300 ? "is in the library's trash"
                                             : "could not be put into the library's trash");
        }
    }
    return r;
}

int push(SyncDir *sync, SyncLink *link) {
    int r = push_files(sync, link);

    if (sync->pull_only || (r != 0 && r != SYNC_LINK_E_AWAY && r != SYNC_DIR_E_OWN)) {
        return r;
    }
    if (r == 0) {
        r = push_names(sync, link);
    }
    return r == 0 && sync->delete_to_trash ? push_deletions(sync, link) : r;
}
