/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The devices that listen to their library (GET /v1/changes/stream): thousands in a process, none
 * with a thread of its own. A stream that has something to do is worked on by a thread of a small
 * executor: after a hint of the feed, when it is time for its heartbeat, or when its client has
 * gone. Thread-safe.
 */

#include "base/executor.h"
#include "base/http/stream.h"
#include "services/sync/internal.h"

typedef struct ChangeStreams ChangeStreams;

/* Does nothing until the first add; the service outlives it. A fault when there are no threads. */
int change_streams_new(SyncService *service, ChangeStreams **ret_streams);

/* Takes no more, and ends them all. May be called again. */
void change_streams_stop(ChangeStreams *streams);
/* After change_streams_stop(), and after the last change_streams_add() returned. Accepts NULL. */
ChangeStreams *change_streams_free(ChangeStreams *streams);

/*
 * Answers the request with the changes after `since` and all that come. `credential` is what its
 * sender showed: it is looked at again with each heartbeat, and the stream ends when it is not good
 * any more.
 */
void change_streams_add(ChangeStreams *streams, HttpRequest *request, const Uuid *user_id,
                        Str credential, int64_t since);
