/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/service.h"

#include "base/error.h"
#include "core/queue/outbox.h"
#include "services/sync/blob_store.h"
#include "services/sync/device/device_cursors.h"
#include "services/sync/index.h"
#include "services/sync/mutation.h"
#include "services/sync/object_list.h"
#include "services/sync/objects.h"
#include "services/sync/photo_add.h"
#include "services/sync/rebuild.h"
#include "services/sync/retention.h"
#include "services/sync/stream/streams.h"

#include <assert.h>

#define PATCH_BODY_MAX ((size_t)64 << 10)
#define EDIT_BODY_MAX  ((size_t)80 << 10)
#define SMALL_BODY_MAX ((size_t)16 << 10)

static const HttpRoute routes[] = {
    {.method = "GET", .path = "/v1/library", .handle = library_get_handle, .blocks = true},
    {.method = "GET", .path = "/v1/photos", .handle = photo_list_handle, .blocks = true},
    {"POST", "/v1/photos", photo_seed_handle, (size_t)32 << 20, .blocks = true},
    {.method = "GET", .path = "/v1/photos/{id}", .handle = photo_get_handle, .blocks = true},
    {"PATCH", "/v1/photos/{id}", photo_patch_handle, PATCH_BODY_MAX, .blocks = true},
    {.method = "DELETE", .path = "/v1/photos/{id}", .handle = photo_delete_handle, .blocks = true},
    {"GET", "/v1/photos/{id}/similar", photo_similar_handle, .blocks = true},
    {"GET", "/v1/photos/{id}/original", photo_original_handle, .blocks = true},
    {"GET", "/v1/photos/{id}/mezzanine", photo_mezzanine_handle, .blocks = true},
    {"GET", "/v1/photos/{id}/thumbnail", photo_thumbnail_handle, .blocks = true},
    {.method = "GET", .path = "/v1/photos/{id}/edits", .handle = edit_list_handle, .blocks = true},
    {"POST", "/v1/edits", edit_add_handle, EDIT_BODY_MAX, .blocks = true},
    {.method = "GET", .path = "/v1/edits/{id}", .handle = edit_get_handle, .blocks = true},
    {"PUT", "/v1/edits/{id}", edit_put_handle, EDIT_BODY_MAX, .blocks = true},
    {.method = "DELETE", .path = "/v1/edits/{id}", .handle = edit_delete_handle, .blocks = true},
    {.method = "GET", .path = "/v1/changes", .handle = changes_get_handle, .blocks = true},
    {.method = "GET",
     .path = "/v1/changes/stream",
     .handle = changes_stream_handle,
     .blocks = true},
    {.method = "GET", .path = "/v1/objects", .handle = objects_get_handle, .blocks = true},
    {"POST", "/v1/albums", album_create_handle, SMALL_BODY_MAX, .blocks = true},
    {.method = "GET", .path = "/v1/albums", .handle = album_list_handle, .blocks = true},
    {.method = "GET", .path = "/v1/albums/{id}", .handle = album_get_handle, .blocks = true},
    {"PATCH", "/v1/albums/{id}", album_patch_handle, SMALL_BODY_MAX, .blocks = true},
    {.method = "DELETE", .path = "/v1/albums/{id}", .handle = album_remove_handle, .blocks = true},
    {.method = "GET", .path = "/v1/devices", .handle = device_list_handle, .blocks = true},
    {"PUT", "/v1/devices/me/cursor", device_cursor_put_handle, SMALL_BODY_MAX, .blocks = true},
};
_Static_assert(ARRAY_LEN(routes) < SYNC_ROUTES_MAX, "and the end");

static int check_statements(SyncService *service, const char **reterr) {
    const struct {
        const DbStatement *statements;
        size_t n;
    } all[] = {{blob_store_statements, blob_store_statements_len},
               {device_cursor_statements, device_cursor_statements_len},
               {mutation_statements, mutation_statements_len},
               {object_list_statements, object_list_statements_len},
               {object_statements, object_statements_len},
               {photo_add_statements, photo_add_statements_len}};
    Db *db = service->options.db;
    const char *name = "";
    int r = event_log_check(db, &name);

    if (r == 0) {
        r = queue_outbox_check(db, &name);
    }
    if (r == 0) {
        r = rebuild_check(db, &name);
    }
    if (r == 0) {
        r = retention_check(db, &name);
    }
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(all); i++) {
        r = db_check(db, all[i].statements, all[i].n, &name);
    }
    if (r == -EINVAL) {
        *reterr = arena_printf(service->options.arena,
                               "the database does not take the statement %s of this version", name);
    }
    return r < 0 ? err_trace(r) : 0;
}

int sync_service_new(const SyncServiceOptions *options, SyncService **ret_service,
                     const char **reterr) {
    _cleanup_(sync_service_freep) SyncService *service = calloc(1, sizeof(*service));
    int r;

    if (!service) {
        abort();
    }
    service->options = *options;
    r = check_statements(service, reterr);
    if (r < 0) {
        return err_trace(r);
    }
    service->keys = library_keys_new(options->access);
    r = event_feed_new(options->db, &(EventFeedOptions){.metrics = options->metrics},
                       &service->feed);
    if (r == 0) {
        r = change_streams_new(service, &service->streams);
    }
    if (r < 0) {
        return err_trace(r);
    }
    memcpy(service->routes, routes, sizeof(routes));
    service->groups[0] = (HttpRouteGroup){.prefix = "/v1/library",
                                          .routes = service->routes,
                                          .context = service,
                                          .executor = options->executor};
    *ret_service = TAKE_PTR(service);
    return 0;
}

int sync_service_start(SyncService *service) {
    return err_trace(retention_start(service, &service->retention));
}

void sync_service_stop(SyncService *service) {
    service->retention = retention_stop(service->retention);
    change_streams_stop(service->streams);
}

SyncService *sync_service_free(SyncService *service) {
    if (service) {
        if (service->streams) {
            change_streams_stop(service->streams);
        }
        change_streams_free(service->streams);
        event_feed_free(service->feed);
        library_keys_free(service->keys);
        free(service);
    }
    return NULL;
}

const HttpRouteGroup *sync_service_groups(SyncService *service) {
    return service->groups;
}
