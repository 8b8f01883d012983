/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/service.h"

#include "base/crypto/password.h"
#include "base/error.h"
#include "core/queue/outbox.h"
#include "services/sync/blob_store.h"
#include "services/sync/device/device_cursors.h"
#include "services/sync/erase.h"
#include "services/sync/index.h"
#include "services/sync/library_service.h"
#include "services/sync/mutation.h"
#include "services/sync/object_list.h"
#include "services/sync/objects.h"
#include "services/sync/photo/ingest.h"
#include "services/sync/photo/photo_learn.h"
#include "services/sync/photo/reingest.h"
#include "services/sync/photo/trash.h"
#include "services/sync/photo_add.h"
#include "services/sync/rebuild.h"
#include "services/sync/retention.h"
#include "services/sync/share/share_store.h"
#include "services/sync/stream/streams.h"
#include "services/sync/upload/orphans.h"
#include "services/sync/upload/sweep.h"
#include "services/sync/upload/tus_patch.h"
#include "services/sync/upload/upload_writer.h"
#include "services/sync/upload/uploads.h"
#include "services/sync/usage.h"

#include <assert.h>

#define PATCH_BODY_MAX ((size_t)64 << 10)
#define EDIT_BODY_MAX  ((size_t)80 << 10)
#define SMALL_BODY_MAX ((size_t)16 << 10)

static const HttpRoute routes[] = {
    {.method = "GET", .path = "/v1/library", .handle = library_get_handle, .blocks = true},
    {.method = "OPTIONS", .path = "/v1/uploads", .handle = uploads_options_handle},
    {.method = "OPTIONS", .path = "/v1/uploads/{id}", .handle = uploads_options_handle},
    {.method = "POST",
     .path = "/v1/uploads/check",
     .handle = uploads_check_handle,
     .body_max = (size_t)64 << 10,
     .blocks = true},
    {.method = "HEAD", .path = "/v1/uploads/{id}", .handle = upload_head_handle, .blocks = true},
    {.method = "DELETE",
     .path = "/v1/uploads/{id}",
     .handle = upload_delete_handle,
     .blocks = true},
    {"PUT", "/v1/library", library_put_handle, SMALL_BODY_MAX, .blocks = true},
    {.method = "GET", .path = "/v1/photos", .handle = photo_list_handle, .blocks = true},
    {.method = "GET", .path = "/v1/photos/{id}", .handle = photo_get_handle, .blocks = true},
    {"PATCH", "/v1/photos/{id}", photo_patch_handle, PATCH_BODY_MAX, .blocks = true},
    {.method = "DELETE", .path = "/v1/photos/{id}", .handle = photo_delete_handle, .blocks = true},
    {"GET", "/v1/photos/{id}/similar", photo_similar_handle, .blocks = true},
    {"GET", "/v1/photos/{id}/original", photo_original_handle, .blocks = true},
    {"GET", "/v1/photos/{id}/mezzanine", photo_mezzanine_handle, .blocks = true},
    {"GET", "/v1/photos/{id}/thumbnail", photo_thumbnail_handle, .blocks = true},
    {.method = "GET", .path = "/v1/photos/{id}/edits", .handle = edit_list_handle, .blocks = true},
    {"GET", "/v1/albums/{id}/zip", zip_album_handle, .blocks = true},
    {"POST", "/v1/zip", zip_picked_handle, PATCH_BODY_MAX, .blocks = true},
    {"POST", "/v1/shares", share_add_handle, PATCH_BODY_MAX, .blocks = true},
    {.method = "GET", .path = "/v1/shares", .handle = share_list_handle, .blocks = true},
    {.method = "GET", .path = "/v1/shares/{id}", .handle = share_get_handle, .blocks = true},
    {.method = "DELETE", .path = "/v1/shares/{id}", .handle = share_delete_handle, .blocks = true},
    {"GET", "/v1/shared/{token}", shared_get_handle, .blocks = true},
    {"GET", "/v1/shared/{token}/photos/{id}/{rendition}", shared_photo_handle, .blocks = true},
    {"GET", "/v1/shared/{token}/zip", shared_zip_handle, .blocks = true},
    {"POST", "/v1/shared/{token}/unlock", shared_unlock_handle, SMALL_BODY_MAX, .blocks = true},
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

/* Those whose bytes come in pieces, on the executor for uploads. */
static const HttpRoute upload_routes[] = {
    {.method = "POST", .path = "/v1/photos", .body = &form_upload_body},
    {.method = "POST", .path = "/v1/uploads", .body = &tus_create_body},
    {.method = "PATCH", .path = "/v1/uploads/{id}", .body = &tus_patch_body},
    {.method = "POST", .path = "/v1/uploads/{id}", .body = &tus_override_body},
};
_Static_assert(ARRAY_LEN(routes) + ARRAY_LEN(upload_routes) < SYNC_ROUTES_MAX, "and the end");

/* Of links, on the threads for requests: what OWASP advises where memory is dear. */
static const PasswordSettings link_passwords = {
    .ops = 2, .memory_mib = 19, .parallel_max = 2, .waiting_max = 16, .wait_ms = 5000};

static int check_statements(SyncService *service, const char **reterr) {
    const struct {
        const DbStatement *statements;
        size_t n;
    } all[] = {{blob_store_statements, blob_store_statements_len},
               {device_cursor_statements, device_cursor_statements_len},
               {mutation_statements, mutation_statements_len},
               {object_list_statements, object_list_statements_len},
               {object_statements, object_statements_len},
               {photo_add_statements, photo_add_statements_len},
               {upload_statements, upload_statements_len},
               {usage_statements, usage_statements_len},
               {orphan_statements, orphan_statements_len},
               {sweep_statements, sweep_statements_len},
               {photo_learn_statements, photo_learn_statements_len},
               {share_statements, share_statements_len},
               {reingest_statements, reingest_statements_len}};
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
    if (r == 0) {
        r = library_erase_check(db, &name);
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

static const HttpRoute internal_routes[] = {
    {"POST", LIBRARY_SERVICE_NEXT, library_service_next_handle, SMALL_BODY_MAX, .blocks = true},
    {"POST", LIBRARY_SERVICE_READ, library_service_read_handle, SMALL_BODY_MAX, .blocks = true},
    {"POST", LIBRARY_SERVICE_ERASE, library_service_erase_handle, SMALL_BODY_MAX, .blocks = true},
};

static void add_routes(SyncService *service) {
    HttpRoute *end = service->routes + ARRAY_LEN(routes);

    memcpy(service->routes, routes, sizeof(routes));
    memcpy(end, upload_routes, sizeof(upload_routes));
    for (size_t i = 0; i < ARRAY_LEN(upload_routes); i++) {
        end[i].blocks = true;
        end[i].executor = service->options.upload_executor;
        end[i].body_max = SIZE_MAX; /* an upload knows its own length */
    }
    if (service->options.user_verifier) {
        memcpy(service->internal_routes, internal_routes, sizeof(internal_routes));
    }
}

static int free_leases(DbTx *tx, void *userdata) {
    (void)userdata;
    return upload_free_leases(tx);
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
    r = password_hasher_new(&link_passwords, &service->passwords);
    if (r < 0) {
        return err_trace(r);
    }
    /* On SQLite this is the only process; whoever had them was killed. */
    if (db_dialect(options->db) == DB_DIALECT_SQLITE &&
        (r = db_write(options->db, free_leases, NULL, NULL)) < 0) {
        return err_trace(r);
    }
    r = sync_epoch_open(options->db, service->epoch);
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
    service->writers = upload_writers_new((unsigned)options->settings->uploads_at_once);
    add_routes(service);
    service->groups[0] = (HttpRouteGroup){.prefix = "/v1/library",
                                          .routes = service->routes,
                                          .context = service,
                                          .executor = options->executor};
    service->groups[1] = (HttpRouteGroup){.prefix = LIBRARY_SERVICE_PREFIX,
                                          .routes = service->internal_routes,
                                          .context = service,
                                          .executor = options->upload_executor};
    sync_library_service_init(service);
    *ret_service = TAKE_PTR(service);
    return 0;
}

int sync_service_start(SyncService *service) {
    int r = trash_start(service, &service->trash);

    if (r == 0) {
        r = sweep_start(service, &service->sweep);
    }
    if (r == 0 && service->options.renderer) {
        r = ingest_start(service, (unsigned)service->options.settings->ingest_threads,
                         &service->ingest);
    }
    if (r == 0) {
        r = retention_start(service, &service->retention);
    }
    return err_trace(r);
}

void sync_service_stop(SyncService *service) {
    service->retention = retention_stop(service->retention);
    change_streams_stop(service->streams);
    service->ingest = ingest_stop(service->ingest);
    service->trash = trash_stop(service->trash);
    service->sweep = sweep_stop(service->sweep);
}

SyncService *sync_service_free(SyncService *service) {
    if (service) {
        if (service->streams) {
            change_streams_stop(service->streams);
        }
        change_streams_free(service->streams);
        event_feed_free(service->feed);
        library_keys_free(service->keys);
        password_hasher_free(service->passwords);
        upload_writers_free(service->writers);
        free(service);
    }
    return NULL;
}

LibraryService *sync_service_libraries(SyncService *service) {
    return &service->libraries.base;
}

const HttpRouteGroup *sync_service_groups(SyncService *service) {
    return service->groups;
}
