/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The sync service: a user's library of photos, albums and edits, the same on every device. A
 * library over an HTTP server and the ports that app brings, all of which must outlive it. Its
 * handlers block, so its routes run on the executor.
 */

#include "base/executor.h"
#include "base/http/server.h"
#include "core/contracts/access.h"
#include "core/contracts/library_service.h"
#include "core/identity/service_token.h"
#include "core/ports/blobs.h"
#include "core/ports/db.h"
#include "core/ports/queue.h"
#include "core/ports/renderer.h"
#include "services/sync/settings.h"

typedef struct SyncService SyncService;

typedef struct SyncServiceOptions {
    Db *db;
    Blobs *blobs;
    Queue *queue;
    Access *access;
    Executor *executor;        /* for requests */
    Executor *upload_executor; /* for the bytes of uploads and downloads */
    Renderer *renderer;        /* NULL: none in this process; other processes do its jobs */
    Metrics *metrics;
    ServiceVerifier *user_verifier; /* NULL: the user service does not run in another process */
    bool relays;                    /* events are moved to a broker, so they stay until they were */
    const SyncSettings *settings;
    Arena *arena; /* for what is said in *reterr */
} SyncServiceOptions;

#define SYNC_SERVICE_GROUPS 2

/* 0; -EINVAL with a whole sentence in *reterr; or a fault of the database. */
int sync_service_new(const SyncServiceOptions *options, SyncService **ret_service,
                     const char **reterr);
/* Starts and ends what is done in the background. */
int sync_service_start(SyncService *service);
void sync_service_stop(SyncService *service);
/* Last: after the server and both executors have ended. Accepts NULL. */
SyncService *sync_service_free(SyncService *service);
DEFINE_CLEANUP(SyncService *, sync_service_free)

/* What the user service may ask; lives as long as the service. */
LibraryService *sync_service_libraries(SyncService *service);

const HttpRouteGroup *sync_service_groups(SyncService *service);
