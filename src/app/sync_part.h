/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The sync service with what only it needs: the store of blobs, the queue of jobs, the relay of
 * events, threads. */

#include "app/registry.h"
#include "app/relay_part.h"
#include "app/user_client.h"
#include "base/executor.h"
#include "services/sync/service.h"

typedef struct SyncPart {
    Blobs *blobs;
    Queue *queue;
    ServiceVerifier *user_verifier; /* with remote */
    UserClient remote;              /* empty: the user part is in this process */
    RelayPart *relay;               /* NULL: events stay in the database */
    Executor *executor, *upload_executor;
    SyncService *service;
} SyncPart;

/* What it is built on; all of it outlives the part. */
typedef struct SyncPartBase {
    const Settings *settings;
    Db *db;
    Access *access; /* of the user part in this process; NULL: ask where the settings say */
    Cache *cache;
    Renderer *renderer; /* NULL: none in this process */
    Metrics *metrics;
} SyncPartBase;

/* 0, or a negative with a whole sentence in *reterr_text, from the arena. */
int sync_part_start(const SyncPartBase *base, Arena *arena, SyncPart *ret_part,
                    const char **reterr_text);

/* Starts what is done in the background. */
void sync_part_listening(SyncPart *part);

/* Lets requests and jobs under way end, at most so long: after the server has drained. */
void sync_part_drain(SyncPart *part, uint32_t timeout_ms);

/* Waits for requests and jobs, however long: after the server has stopped, before the renderer that
 * they may wait for is gone. */
void sync_part_end_requests(SyncPart *part);

/* After the server has stopped. Whatever was built, also half. */
void sync_part_done(SyncPart *part);
