/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of this service share: its state and its handlers. */

#include "core/events/event_feed.h"
#include "services/sync/epoch.h"
#include "services/sync/keys.h"
#include "services/sync/service.h"

#include <stdatomic.h>

#define SYNC_TOPIC      "library" /* of the event log */
#define SYNC_ROUTES_MAX 80

typedef struct SyncLibraryService {
    LibraryService base; /* first */
    SyncService *service;
} SyncLibraryService;

static inline SyncService *sync_library_service_owner(LibraryService *self) {
    return ((SyncLibraryService *)self)->service;
}

struct SyncService {
    SyncServiceOptions options;
    LibraryKeys *keys;
    char epoch[EPOCH_LEN + 1]; /* of the logs */
    EventFeed *feed;           /* who waits for changes */
    struct ChangeStreams *streams;
    struct Ingest *ingest;            /* photo/ingest.h; NULL: not here */
    struct Trash *trash;              /* photo/trash.h */
    struct PasswordHasher *passwords; /* of links */
    struct UploadWriters *writers;    /* upload/upload_writer.h */
    struct SyncRetention *retention;
    struct Sweep *sweep;          /* upload/sweep.h */
    atomic_bool moves_jobs;       /* jobs.h */
    SyncLibraryService libraries; /* library_service.h */
    HttpRoute routes[SYNC_ROUTES_MAX], internal_routes[4];
    HttpRouteGroup groups[SYNC_SERVICE_GROUPS];
};

/* Handlers; their context is the SyncService. */
HttpHandler library_get_handle, library_put_handle;
HttpHandler photo_list_handle, photo_get_handle, photo_patch_handle, photo_delete_handle,
    photo_similar_handle, photo_original_handle, photo_mezzanine_handle, photo_thumbnail_handle;
HttpHandler share_add_handle, share_list_handle, share_get_handle, share_delete_handle;
HttpHandler shared_get_handle, shared_photo_handle, shared_zip_handle, shared_unlock_handle;
HttpHandler zip_album_handle, zip_picked_handle;
HttpHandler edit_list_handle, edit_add_handle, edit_get_handle, edit_put_handle, edit_delete_handle;
HttpHandler changes_get_handle, changes_stream_handle, objects_get_handle;
HttpHandler album_create_handle, album_list_handle, album_get_handle, album_patch_handle,
    album_remove_handle;
HttpHandler device_cursor_put_handle, device_list_handle;
