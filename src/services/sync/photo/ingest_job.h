/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One job of ingest.h. Its lease is short, so that another soon has it when this process dies, and
 * is extended while it goes on. */

#include "core/ports/queue.h"
#include "services/sync/internal.h"
#include "services/sync/photo/render.h"

#define INGEST_VISIBILITY_MS 60000u

typedef enum IngestEndKind {
    INGEST_END_READY,
    INGEST_END_UNREADABLE,
    INGEST_END_NOTHING, /* the photo is no more, or was looked into before */
    INGEST_END_LATER,   /* something of ours does not work */
    INGEST_END_POISON,  /* it is unreadable, and for a reason that somebody should look at */
    INGEST_END_STOPPED, /* we end */
    INGEST_END_BUSY,    /* the renderer has no room: the same job again in retry_after_s */
    _INGEST_END_MAX,
} IngestEndKind;

typedef struct IngestEnd {
    IngestEndKind kind;
    const char *reason; /* of the last four; in the arena or for ever */
    uint32_t retry_after_s;
} IngestEnd;

/* Doing it twice is as doing it once. */
void ingest_job(SyncService *service, Renders *renders, const QueueLease *lease, Arena *arena,
                IngestEnd *ret_end);
