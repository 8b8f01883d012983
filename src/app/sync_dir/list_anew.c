/* SPDX-License-Identifier: Apache-2.0 */

/*
 * All that a library has, when what was known of it does not lead there any more. Nothing is taken
 * away here then that the server does not say is deleted. What is here and in no list is asked for
 * by content as if it were new: the server says whether it was deleted, or lost.
 */

#include "app/sync_dir/list_anew.h"
#include "base/error.h"

#include <stdlib.h>

#define PAGE_LIMIT 500

int odd_answer(SyncLink *link, const SyncLinkAnswer *answer) {
    link->error = arena_printf(link->arena, "the server does not say what has changed (%u) %s",
                               answer->status, answer->reason);
    return SYNC_LINK_E_AWAY;
}

const char *cursor_of(const SyncLinkAnswer *answer) {
    return json_string_value(json_object_get(answer->json, "cursor"));
}

bool says_restored(const SyncLinkAnswer *answer) {
    return answer->status == 410 && json_is_true(json_object_get(answer->json, "restored"));
}

/* The ids in a page of objects. */
static void note_listed(const json_t *objects, Buf *listed) {
    const json_t *object;
    size_t i;

    json_array_foreach(objects, i, object) {
        const char *id = json_string_value(json_object_get(object, "id"));
        Uuid uuid;
        if (id && uuid_parse(str_from(id), &uuid) == 0) {
            buf_add(listed, uuid.bytes, sizeof(uuid.bytes));
        }
    }
}

static int compare_uuids(const void *a, const void *b) {
    return memcmp(a, b, sizeof(Uuid));
}

static bool is_listed(const Buf *listed, const char *id) {
    Uuid uuid;

    return uuid_parse(str_from(id), &uuid) == 0 && listed->len > 0 &&
           bsearch(&uuid, listed->data, listed->len / sizeof(uuid), sizeof(uuid), compare_uuids);
}

/* What the server does not list: files are looked for there by their content, in the next round. */
static int forget_unlisted(SyncDir *sync, Buf *listed) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    StateFile *files;
    StatePhoto *wanted;
    StateAlbum *albums;
    size_t n;
    int r = state_files(&sync->state, arena, &files, &n);

    if (listed->len > 0) {
        qsort(listed->data, listed->len / sizeof(Uuid), sizeof(Uuid), compare_uuids);
    }
    for (size_t i = 0; r == 0 && i < n; i++) {
        StateFile *file = &files[i];
        if (file->photo[0] && !file->refused[0] && !file->arriving &&
            !is_listed(listed, file->photo)) {
            file->photo = file->name = file->albums = "";
            file->folder = str_lit("");
            file->version = 0;
            file->rename_due = false;
            file->move_due = sync_folder_of(file->path).len > 0 ? MOVE_THERE : MOVE_NONE;
            file->left = str_lit("");
            sync->again = sync->unlisted = true;
            r = state_files_put(&sync->state, file, 1);
        }
    }
    if (r == 0) {
        r = state_photos(&sync->state, FATE_WANTED, arena, &wanted, &n);
    }
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = is_listed(listed, wanted[i].id) ? 0 : state_photo_remove(&sync->state, wanted[i].id);
    }
    if (r == 0) {
        r = state_albums(&sync->state, arena, &albums, &n);
    }
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = is_listed(listed, albums[i].id) ? 0 : state_album_remove(&sync->state, albums[i].id);
    }
    return r;
}

int list_anew(SyncDir *sync, SyncLink *link, bool apply, int64_t *ret_seq, Buf *position) {
    _cleanup_(buf_done) Buf after = BUF_INIT;
    _cleanup_(buf_done) Buf listed = BUF_INIT;
    int64_t seq = -1;
    int r = 0;

    for (bool more = true; more && r == 0;) {
        _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
        const json_t *objects;
        const char *next;

        sync_link_reset(link);
        r = sync_link_call(link,
                           &(SyncLinkCall){.method = "GET",
                                           .path = arena_printf(
                                               link->arena, "/v1/objects?limit=%d%s%s", PAGE_LIMIT,
                                               after.len > 0 ? "&after=" : "", buf_cstr(&after))},
                           &answer);
        objects = json_object_get(answer.json, "objects");
        if (r == 0 && (answer.status != 200 || !json_is_array(objects))) {
            r = odd_answer(link, &answer);
        }
        if (r != 0) {
            return r;
        }
        if (seq < 0) {
            seq = json_integer_value(json_object_get(answer.json, "seq"));
            buf_add_str(position, str_from(cursor_of(&answer) ? cursor_of(&answer) : ""));
        }
        note_listed(objects, &listed);
        r = apply ? apply_objects(sync, link, objects, true) : 0;
        next = json_string_value(json_object_get(answer.json, "next"));
        more = next && next[0];
        buf_done(&after);
        buf_add_str(&after, str_from(next ? next : ""));
    }
    *ret_seq = seq;
    return r == 0 ? forget_unlisted(sync, &listed) : r;
}
