/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What pull() and look_back() share: whether a library's log still leads to where a folder is, and
 * what is done when it does not. */

#include "app/sync_dir/sync_dir.h"

#define SAID_RESTORED "it was restored from a backup; what it lost is sent again"

/* SYNC_LINK_E_AWAY, with the words for it. */
int odd_answer(SyncLink *link, const SyncLinkAnswer *answer);

/* What the server calls the place in its log that an answer leads to; or NULL. */
const char *cursor_of(const SyncLinkAnswer *answer);

/* Whether a refusal says that the log is that of another life: the server was restored. */
bool says_restored(const SyncLinkAnswer *answer);

/*
 * Lists all that lives, page by page, and does what that says if `apply`. Then forgets which photos
 * the files here are that are not in it: the next round looks for them by content. Where to go on
 * from is added to `position` ("": the server has no name for it), its number is in *ret_seq. As
 * pull().
 */
int list_anew(SyncDir *sync, SyncLink *link, bool apply, int64_t *ret_seq, Buf *position);
