/* SPDX-License-Identifier: Apache-2.0 */

/* When the server cannot tell what changed since the last time: all objects anew. */

#include "app/sync_dir/pull.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>

static int get_objects(SyncLink *link, const char *path, SyncLinkAnswer *ret_answer) {
    int r = sync_link_call(link, &(SyncLinkCall){.method = "GET", .path = path}, ret_answer);

    return r == 0 && (ret_answer->status != 200 ||
                      !json_is_array(json_object_get(ret_answer->json, "objects")))
               ? pull_odd_answer(link, ret_answer)
               : r;
}

static void note_ids(json_t *listed, const json_t *objects) {
    const json_t *object;
    size_t i;

    json_array_foreach(objects, i, object) {
        const char *id = json_string_value(json_object_get(object, "id"));
        if (id) {
            json_object_set_new(listed, id, json_true());
        }
    }
}

typedef struct Listing {
    bool applies, anew; /* what is listed; whatever we knew of it */
    json_t *ids;        /* of all that lives */
    int64_t seq;        /* where to go on from */
    Buf position;
} Listing;

static int list_all(SyncDir *sync, SyncLink *link, Listing *listing) {
    _cleanup_(buf_done) Buf after = BUF_INIT;
    bool first = true;
    int r = 0;

    for (bool more = true; more && r == 0; first = false) {
        _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
        const char *next, *cursor;

        sync_link_reset(link);
        r = get_objects(link,
                        arena_printf(link->arena, "/v1/objects?limit=%d%s%s", PULL_PAGE_LIMIT,
                                     after.len > 0 ? "&after=" : "", buf_cstr(&after)),
                        &answer);
        if (r != 0) {
            return r;
        }
        if (first) {
            cursor = json_string_value(json_object_get(answer.json, "cursor"));
            listing->seq = json_integer_value(json_object_get(answer.json, "seq"));
            listing->position.len = 0;
            buf_add_str(&listing->position, str_from(cursor ? cursor : ""));
        }
        note_ids(listing->ids, json_object_get(answer.json, "objects"));
        if (listing->applies) {
            r = pull_apply_all(sync, link, json_object_get(answer.json, "objects"), listing->anew);
        }
        next = json_string_value(json_object_get(answer.json, "next"));
        more = next && next[0];
        buf_done(&after);
        buf_add_str(&after, str_from(next ? next : ""));
    }
    return r;
}

static int apply_removed(SyncDir *sync, SyncLink *link, const json_t *changes) {
    const json_t *change;
    size_t i;
    int r = 0;

    json_array_foreach(changes, i, change) {
        if (json_is_true(json_object_get(change, "removed"))) {
            r = pull_apply(sync, link, change, false);
        }
        if (r < 0) {
            break;
        }
    }
    return r;
}

/* All tombstones that the server still has: what has one was deleted, and was not lost. */
static int read_removed(SyncDir *sync, SyncLink *link, int64_t since) {
    bool more = true;
    int r = 0;

    while (more && r == 0) {
        _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
        char number[24];

        snprintf(number, sizeof(number), "%" PRId64, since);
        r = pull_get_changes(link, number, &answer);
        if (r == 0) {
            since = json_integer_value(json_object_get(answer.json, "next"));
            more = json_is_true(json_object_get(answer.json, "more"));
            r = apply_removed(sync, link, json_object_get(answer.json, "changes"));
        }
    }
    return r == PULL_E_TOO_OLD || r == PULL_E_RESTORED ? 0 : r; /* as many as there are */
}

/* What the server has lost is sent again, as if it were new, and not waited for. */
static int forget_lost(SyncDir *sync, const json_t *listed, size_t *ret_n) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    StatePhoto *photos = NULL;
    StateFile *files = NULL;
    size_t n_files = 0, n_photos = 0;
    int r = state_files(&sync->state, arena, &files, &n_files);

    *ret_n = 0;
    if (r == 0) {
        r = state_photos(&sync->state, FATE_WANTED, arena, &photos, &n_photos);
    }
    for (size_t i = 0; r == 0 && i < n_files; i++) {
        StateFile *file = &files[i];
        if (sync->pull_only || !file->photo[0] || file->refused[0] || file->arriving ||
            json_object_get(listed, file->photo)) {
            continue;
        }
        file->photo = file->name = file->upload = "";
        file->version = 0;
        file->rename_due = false;
        (*ret_n)++;
        report_moved(&sync->report, file->path, "is not in the library any more: it is sent again");
        r = state_files_put(&sync->state, file, 1);
    }
    for (size_t i = 0; r == 0 && i < n_photos; i++) {
        if (!json_object_get(listed, photos[i].id)) {
            r = state_photo_remove(&sync->state, photos[i].id);
        }
    }
    return r;
}

/*
 * Before anything is taken from a restored server: what it has tombstones for goes, and what it
 * lost is sent again, in the next round. Only then is it listed for good, because what another
 * device has sent again already is known by its content, and not brought here a second time.
 */
static int recover(SyncDir *sync, SyncLink *link, Listing *listing, int64_t horizon,
                   size_t *ret_n) {
    int r = list_all(sync, link, listing);

    *ret_n = 0;
    if (r == 0) {
        r = read_removed(sync, link, horizon);
    }
    if (r == 0) {
        r = forget_lost(sync, listing->ids, ret_n);
    }
    return r;
}

int resync(SyncDir *sync, SyncLink *link, bool restored, int64_t horizon) {
    _cleanup_(json_decrefp) json_t *ids = json_object();
    Listing listing = {.ids = ids, .anew = restored};
    size_t n_lost = 0;
    int r = 0;

    report_note(&sync->report, restored ? "the library was restored from a backup: it is listed "
                                          "anew, and what it lacks is sent again"
                                        : "the library is listed anew: the last sync was too long "
                                          "ago");
    if (restored) {
        r = recover(sync, link, &listing, horizon, &n_lost);
    }
    if (r == 0 && n_lost > 0) {
        sync->again = true;
    } else if (r == 0) {
        listing.applies = true;
        r = list_all(sync, link, &listing);
        if (r == 0) {
            r = pull_keep_position(sync, listing.seq, buf_cstr(&listing.position));
        }
    }
    buf_done(&listing.position);
    return r;
}
