/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The jobs "ingest": each new photo's file is handed to the renderer, and what comes of it
 * goes into the photo's state (photo_learn.h); and "reingest" (reingest.h). Threads of the process
 * that take one job after another. A file that nobody can read is "unreadable", with a reason, and
 * kept; one that kills what reads it goes to the dead letter besides, and holds up no other.
 */

#include "services/sync/internal.h"

/* Of a job in its queue: ever later, for about two hours altogether. The last says that it is given
 * up, so that no photo waits for a job that is dead. */
#define INGEST_ATTEMPTS_MAX 20

typedef struct Ingest Ingest;

/* Starts `threads` of them. A fault when they cannot be had. */
int ingest_start(SyncService *service, unsigned threads, Ingest **ret_ingest);
/* Ends them, and what they do; jobs under way are done anew later. Accepts NULL. */
Ingest *ingest_stop(Ingest *ingest);
