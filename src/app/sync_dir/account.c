/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/account.h"

int account_check(SyncDir *sync, SyncLink *link) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    const char *user, *known;
    int r = sync_link_call(link, &(SyncLinkCall){.method = "GET", .path = "/v1/library"}, &answer);

    if (r != 0) {
        return r;
    }
    user = json_string_value(json_object_get(answer.json, "user"));
    if (answer.status != 200 || !user) {
        link->error = arena_printf(link->arena, "%s has no library to sync with (%u)",
                                   sync->server.url, answer.status);
        return SYNC_DIR_E_ACCOUNT;
    }
    r = state_get(&sync->state, "user", link->arena, &known);
    if (r == 0 && known[0] && strcmp(known, user) != 0) {
        link->error = arena_printf(link->arena,
                                   "%s is synced with another account of %s; sign in to that one, "
                                   "or take another folder",
                                   sync->folder.path, sync->server.url);
        return SYNC_DIR_E_ACCOUNT;
    }
    if (r == 0 && !known[0]) {
        r = state_set(&sync->state, "user", user);
    }
    sync->account_known = r == 0;
    return r;
}
