/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What pull and resync share. All that is not void: 0, a condition of its own, SYNC_LINK_E_*,
 * -EINTR or a fault. */

#include "app/sync_dir/sync_dir.h"

#define PULL_PAGE_LIMIT 500

enum {
    PULL_E_MORE = 100,
    PULL_E_TOO_OLD,  /* the server does not know any more what changed since then */
    PULL_E_RESTORED, /* and never will: its log is another since it was restored from a backup */
};

/* An object as the server has it; `anew`: also when we believe to know a later version. */
int pull_apply(SyncDir *sync, SyncLink *link, const json_t *object, bool anew);
int pull_apply_all(SyncDir *sync, SyncLink *link, const json_t *objects, bool anew);

/* A page of changes; PULL_E_TOO_OLD and PULL_E_RESTORED come with an answer too. */
int pull_get_changes(SyncLink *link, const char *since, SyncLinkAnswer *ret_answer);

/* Notes where we are: a number for people, and what the server is shown, which alone decides. */
int pull_keep_position(SyncDir *sync, int64_t seq, const char *position);

/* Says that the answer is none to the question; SYNC_LINK_E_AWAY. */
int pull_odd_answer(SyncLink *link, const SyncLinkAnswer *answer);

/* Everything anew, after one of those two; `horizon`: where the server's log begins. */
int resync(SyncDir *sync, SyncLink *link, bool restored, int64_t horizon);
