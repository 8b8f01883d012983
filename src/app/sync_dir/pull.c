/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Down: what changed in the library since the last time, page by page. What is to be downloaded is
 * noted before the cursor moves, so nothing is forgotten; a page that is read twice does no harm.
 * When the server has forgotten how it came to be, or was put back to what it was (410), all
 * objects are listed anew.
 */

#include "app/sync_dir/albums.h"
#include "app/sync_dir/list_anew.h"
#include "base/error.h"

#include <inttypes.h>

#define PAGE_LIMIT 500

/* Where we are: a number for people, and what the server calls it, which alone decides ("": the
 * number). */
static int keep_position(SyncDir *sync, int64_t seq, const char *position) {
    int r = state_set(&sync->state, "position", position);

    if (r == 0) {
        r = state_set(&sync->state, STATE_SEEN, "");
    }
    return r == 0 ? state_set_int(&sync->state, "cursor", seq) : r;
}

static int load_position(SyncDir *sync, SyncLink *link, int64_t *ret_seq, Buf *position) {
    const char *text = "";
    int r = state_get_int(&sync->state, "cursor", ret_seq);

    if (r == 0) {
        r = state_get(&sync->state, "position", link->arena, &text);
    }
    if (r == 0 && text[0]) {
        buf_add_str(position, str_from(text));
    } else if (r == 0) {
        buf_addf(position, "%" PRId64, *ret_seq);
    }
    return r;
}

/* All that lives, and the cursor to go on from. */
static int resync(SyncDir *sync, SyncLink *link) {
    _cleanup_(buf_done) Buf position = BUF_INIT;
    int64_t seq;
    int r = list_anew(sync, link, true, &seq, &position);

    return r == 0 ? keep_position(sync, seq, buf_cstr(&position)) : r;
}

enum {
    PULL_E_MORE = 100,
    PULL_E_TOO_OLD,
    PULL_E_RESTORED,
};

static int pull_page(SyncDir *sync, SyncLink *link, int64_t *cursor, Buf *position) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    const char *text;
    int64_t next;
    int r;

    sync_link_reset(link);
    r = sync_link_call(
        link,
        &(SyncLinkCall){.method = "GET",
                        .path = arena_printf(link->arena, "/v1/changes?since=%s&limit=%d",
                                             buf_cstr(position), PAGE_LIMIT)},
        &answer);
    if (r != 0) {
        return r;
    }
    if (answer.status == 410) {
        return says_restored(&answer) ? PULL_E_RESTORED : PULL_E_TOO_OLD;
    }
    if (answer.status != 200 || !json_is_integer(json_object_get(answer.json, "next"))) {
        return odd_answer(link, &answer);
    }
    r = apply_objects(sync, link, json_object_get(answer.json, "changes"), false);
    next = json_integer_value(json_object_get(answer.json, "next"));
    text = cursor_of(&answer);
    text = text ? text : arena_printf(link->arena, "%" PRId64, next);
    if (r == 0 && !str_equal(str_from(text), buf_str(position))) {
        *cursor = next;
        buf_done(position);
        buf_add_str(position, str_from(text));
        r = keep_position(sync, next, text);
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

static int pull_changes(SyncDir *sync, SyncLink *link) {
    _cleanup_(buf_done) Buf position = BUF_INIT;
    int64_t cursor = 0, before, unknown = 0;
    int r = load_position(sync, link, &cursor, &position);

    before = cursor;
    if (r == 0) {
        r = state_get_int(&sync->state, STATE_ALBUMS_UNKNOWN, &unknown);
    }
    if (r < 0) {
        return r;
    }
    if (unknown > 0) {
        return resync(sync, link);
    }
    do {
        r = pull_page(sync, link, &cursor, &position);
    } while (r == PULL_E_MORE);
    if (r == PULL_E_TOO_OLD || r == PULL_E_RESTORED) {
        report_note(&sync->report, "the library is listed anew: %s",
                    r == PULL_E_RESTORED ? SAID_RESTORED : "the last sync was too long ago");
        r = resync(sync, link);
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
    StateAlbum *rows;
    Albums albums;
    size_t n, n_albums, n_tasks = 0;
    int r = state_photos(&sync->state, FATE_WANTED, sync->arena, &photos, &n);

    if (r == 0) {
        r = state_albums(&sync->state, sync->arena, &rows, &n_albums);
    }
    if (r < 0) {
        return r;
    }
    albums = albums_of(rows, n_albums, sync->arena);
    tasks = arena_alloc(sync->arena, (n + 1) * sizeof(*tasks));
    for (size_t i = 0; i < n; i++) {
        if (!may_be_here(sync, &photos[i])) {
            tasks[n_tasks++] = (DownloadTask){photos[i], albums_folder(&albums, photos[i].albums)};
        }
    }
    report_due(&sync->report, "fetching", n_tasks);
    return crew_run(sync, download_photo, tasks, sizeof(*tasks), n_tasks, &link->error);
}

int pull(SyncDir *sync, SyncLink *link) {
    int r = pull_changes(sync, link);

    if (r == 0) {
        r = arrange(sync);
    }
    /* Of what was not listed some may be wanted under another id, and is here: it is asked first.
     */
    return r == 0 && !sync->unlisted ? pull_photos(sync, link) : r;
}
