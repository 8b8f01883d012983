/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of this service share: its state and its handlers. */

#include "services/sync/keys.h"
#include "services/sync/service.h"

#define SYNC_TOPIC      "library" /* of the event log */
#define SYNC_ROUTES_MAX 80

struct SyncService {
    SyncServiceOptions options;
    LibraryKeys *keys;
    struct UploadWriters *writers; /* upload/upload_writer.h */
    HttpRoute routes[SYNC_ROUTES_MAX];
    HttpRouteGroup groups[SYNC_SERVICE_GROUPS];
};

/* Handlers; their context is the SyncService. */
HttpHandler library_get_handle;
