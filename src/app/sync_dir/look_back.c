/* SPDX-License-Identifier: Apache-2.0 */

/*
 * With --push-only nothing is read of the library's log but whether it is still the one that was
 * there the last time. STATE_SEEN is a place in it, apart from where pull() is ("": there): whoever
 * goes on in both directions later has missed nothing.
 */

#include "app/sync_dir/list_anew.h"

enum {
    LOOK_E_UNKNOWN = 100, /* the place is too far back, or there is none yet */
    LOOK_E_RESTORED,
};

static int find_seen(SyncDir *sync, const char **ret_seen) {
    int r = state_get(&sync->state, STATE_SEEN, sync->arena, ret_seen);

    if (r == 0 && !(*ret_seen)[0]) {
        r = state_get(&sync->state, "position", sync->arena, ret_seen);
    }
    return r;
}

static int look_at(SyncLink *link, const char *seen) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    int r;

    if (!seen[0]) {
        return LOOK_E_UNKNOWN;
    }
    sync_link_reset(link);
    r = sync_link_call(
        link,
        &(SyncLinkCall){.method = "GET",
                        .path = arena_printf(link->arena, "/v1/changes?since=%s&limit=1", seen)},
        &answer);
    if (r != 0 || answer.status == 200) {
        return r;
    }
    if (answer.status == 410) {
        return says_restored(&answer) ? LOOK_E_RESTORED : LOOK_E_UNKNOWN;
    }
    return odd_answer(link, &answer);
}

/* Where its log ends now. */
static int look_anew(SyncLink *link, Buf *seen) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    int r;

    sync_link_reset(link);
    r = sync_link_call(link, &(SyncLinkCall){.method = "GET", .path = "/v1/objects?limit=1"},
                       &answer);
    if (r == 0 && answer.status != 200) {
        r = odd_answer(link, &answer);
    }
    if (r == 0 && cursor_of(&answer)) {
        buf_add_str(seen, str_from(cursor_of(&answer)));
    }
    return r;
}

int look_back(SyncDir *sync, SyncLink *link) {
    _cleanup_(buf_done) Buf now = BUF_INIT;
    const char *seen = "";
    int64_t seq;
    int r = find_seen(sync, &seen);

    if (r == 0) {
        r = look_at(link, seen);
    }
    if (r == LOOK_E_RESTORED) {
        report_note(&sync->report, "the library is listed anew: %s", SAID_RESTORED);
        r = list_anew(sync, link, false, &seq, &now);
    } else if (r == LOOK_E_UNKNOWN) {
        r = look_anew(link, &now);
    } else {
        return r;
    }
    return r == 0 && now.len > 0 ? state_set(&sync->state, STATE_SEEN, buf_cstr(&now)) : r;
}
