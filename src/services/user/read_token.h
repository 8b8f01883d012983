/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reads from replicas without stale answers. Where a user's last write stands in the primary's log
 * (DbToken) is kept in the cache for READ_TOKEN_TTL_MS, and told to the client as the header
 * Sync-Token, which it may send along. A read goes to a replica that has replayed both, or to the
 * primary: also when nothing is known of the user's last write.
 *
 * Without replicas (options.reads_replicas) none of this costs anything.
 */

#include "services/user/call.h"

#define READ_TOKEN_HEADER "Sync-Token"
#define READ_TOKEN_TTL_MS 120000

/* For db_write(): where the call's write is to be noted, or NULL. */
DbToken *read_token_noted(UserCall *call);

/* For db_read() of the caller's own rows: what the replica must have, or NULL: the primary. */
const DbToken *read_token_after(UserCall *call);

/*
 * After the handler, before the answer: keeps what was noted, for call->whose or else the caller.
 * A call that may have written, but where to is not known, sends the user to the primary.
 */
void read_token_keep(UserCall *call, UserFailure failure);
