/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a link shows, to anybody who has it: GET /v1/shared/{token}, its photos' files, all of them
 * as an archive, and POST /v1/shared/{token}/unlock with the password.
 */

#include "base/crypto/password.h"
#include "base/error.h"
#include "base/http/cookie.h"
#include "services/sync/change.h"
#include "services/sync/photo/download.h"
#include "services/sync/photo/filter.h"
#include "services/sync/photo/zip.h"
#include "services/sync/share/visit.h"

#define PAGE       200
#define FREE_TRIES 5 /* wrong passwords before it has to be waited */
#define WAIT_S_MAX 300

/* No search engine and no page that is linked to is to know of it. */
static void respond(SyncCall *call, const char *cookie) {
    _cleanup_(freep) char *text = json_dumps(call->body, JSON_COMPACT);
    const HttpHeader headers[] = {{"Cache-Control", "no-store"},
                                  {"X-Robots-Tag", "noindex, nofollow"},
                                  {"Referrer-Policy", "no-referrer"},
                                  {cookie ? "Set-Cookie" : NULL, cookie},
                                  {0}};

    http_respond(call->request, &(HttpResponse){.status = call->status,
                                                .content_type = "application/json",
                                                .headers = headers,
                                                .body = str_from(text)});
}

/* Of a photo that which others may know: nothing of where, nor of what its owner files it under. */
static json_t *public_json(const Object *photo) {
    static const char *const members[] = {"name",  "caption", "type",     "size",  "status",
                                          "width", "height",  "captured", "offset"};
    json_t *json = json_object(), *renditions = json_object();
    char id[UUID_TEXT_SIZE];
    const char *name;
    json_t *value;

    uuid_text(&photo->id, id);
    json_object_set_new(json, "id", json_string(id));
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        value = json_object_get(photo->state, members[i]);
        if (value) {
            json_object_set(json, members[i], value);
        }
    }
    json_object_foreach(json_object_get(photo->state, "renditions"), name, value) {
        json_t *copy = json_copy(value);
        json_object_del(copy, "blob");
        json_object_set_new(renditions, name, copy);
    }
    json_object_set_new(json, "renditions", renditions);
    return json;
}

static int show_album(DbTx *tx, Visit *visit, const Uuid *album_id, const PhotoPlace *after,
                      json_t *photos) {
    SyncCall *call = &visit->call;
    Library library = library_of_call(call);
    PhotoQuery query = {.after = *after,
                        .from_us = INT64_MIN,
                        .to_us = INT64_MAX,
                        .n_terms = 1,
                        .terms = {term_of(&call->key, false, TERM_ALBUM, uuid_str(album_id))}};
    PhotoRow *rows;
    size_t n = 0;
    int r = photo_index_find(tx, &library, &query, PAGE + 1, &rows, &n);

    for (size_t i = 0; r == 0 && i < MIN(n, (size_t)PAGE); i++) {
        _cleanup_(object_done) Object photo = {0};
        r = object_of_row(&library, OBJECT_PHOTO, &rows[i].place.id, rows[i].object, &photo);
        if (r == 0) {
            json_array_append_new(photos, public_json(&photo));
        }
    }
    if (r == 0 && n > PAGE) {
        json_object_set_new(call->body, "next",
                            json_string(filter_cursor(&rows[PAGE - 1].place, call->arena)));
    }
    return err_trace(r);
}

static int show_picked(DbTx *tx, Visit *visit, json_t *photos) {
    Library library = library_of_call(&visit->call);
    _cleanup_(freep) Uuid *ids = NULL;
    size_t n = 0;
    int r = zip_picked_ids(tx, &library, json_object_get(visit->share.detail, "photos"), &ids, &n);

    for (size_t i = 0; r >= 0 && i < n; i++) {
        _cleanup_(object_done) Object photo = {0};
        r = visit_photo(tx, visit, &ids[i], &photo);
        if (r == 0) {
            json_array_append_new(photos, public_json(&photo));
        }
    }
    return r < 0 ? err_trace(r) : 0;
}

typedef struct Shown {
    Visit *visit;
    PhotoPlace after;
    Uuid photo_id;
    PhotoFile file;
    StoredBlob blob;
    Download download;
    Uuid *ids;
    size_t n;
} Shown;

static int show(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Shown *shown = userdata;
    const Share *share = &shown->visit->share;
    json_t *photos = json_array();
    Uuid album_id;

    *ret_failure = SYNC_FAILURE_NONE;
    call->body =
        json_pack("{s:O,s:O,s:o}", "name", json_object_get(share->detail, "name"), "allow_download",
                  json_object_get(share->detail, "allow_download"), "photos", photos);
    if (share->expires_us > 0) {
        json_object_set_new(call->body, "expires", json_integer(share->expires_us / 1000));
    }
    return state_uuid(share->detail, "album", &album_id)
               ? err_trace(show_album(tx, shown->visit, &album_id, &shown->after, photos))
               : err_trace(show_picked(tx, shown->visit, photos));
}

void shared_get_handle(HttpRequest *request, void *context) {
    _cleanup_(visit_done) Visit visit;
    SyncFailure failure = visit_begin(context, request, false, &visit);
    Shown shown = {.visit = &visit};

    if (failure == SYNC_FAILURE_NONE) {
        failure = filter_read_cursor(&visit.call, &shown.after);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_look(&visit.call, show, &shown);
    }
    if (failure != SYNC_FAILURE_NONE) {
        sync_call_respond(&visit.call, failure);
        return;
    }
    respond(&visit.call, NULL);
}

static bool may_download(const Visit *visit) {
    return json_is_true(json_object_get(visit->share.detail, "allow_download"));
}

static SyncFailure refuse_download(Visit *visit) {
    visit->call.detail = "Whoever made this link does not let the originals be downloaded.";
    return SYNC_FAILURE_NO_DOWNLOAD;
}

static SyncFailure read_rendition(SyncCall *call, PhotoFile *ret_file) {
    static const char *const names[] = {[PHOTO_FILE_ORIGINAL] = "original",
                                        [PHOTO_FILE_MEZZANINE] = "mezzanine",
                                        [PHOTO_FILE_THUMBNAIL] = "thumbnail"};
    const char *name = http_request_param(call->request, "rendition");

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_file = (PhotoFile)i;
            return SYNC_FAILURE_NONE;
        }
    }
    return SYNC_FAILURE_NOT_FOUND;
}

static int find_file(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Shown *shown = userdata;
    _cleanup_(object_done) Object photo = {0};
    const json_t *file;
    Uuid blob_id;
    int r = visit_photo(tx, shown->visit, &shown->photo_id, &photo);

    if (r < 0) {
        return err_trace(r);
    }
    file = r == 0 ? photo_file(photo.state, shown->file) : NULL;
    if (!file || !state_uuid(file, "blob", &blob_id)) {
        *ret_failure = SYNC_FAILURE_NOT_FOUND;
        return 0;
    }
    shown->download = (Download){
        .media_type =
            arena_strdup(call->arena, str_from(json_string_value(json_object_get(file, "type")))),
        .name = arena_strdup(call->arena,
                             str_from(photo_file_name(photo.state, shown->file, call->arena))),
        .cache_control = "private, no-cache"}; /* it may be taken back */
    r = blob_store_get(tx, &call->key, &blob_id, call->arena, &shown->blob);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EBADMSG);
}

void shared_photo_handle(HttpRequest *request, void *context) {
    _cleanup_(visit_done) Visit visit;
    SyncService *service = context;
    SyncFailure failure = visit_begin(service, request, false, &visit);
    Shown shown = {.visit = &visit};

    if (failure == SYNC_FAILURE_NONE) {
        failure = read_rendition(&visit.call, &shown.file);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_id(&visit.call, "id", &shown.photo_id);
    }
    if (failure == SYNC_FAILURE_NONE && shown.file == PHOTO_FILE_ORIGINAL &&
        !may_download(&visit)) {
        failure = refuse_download(&visit);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_look(&visit.call, find_file, &shown);
    }
    if (failure != SYNC_FAILURE_NONE) {
        sync_call_respond(&visit.call, failure);
        return;
    }
    download_respond(request, service->options.blobs, service->options.upload_executor, &shown.blob,
                     &shown.download);
}

static int find_all(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Shown *shown = userdata;
    const json_t *detail = shown->visit->share.detail;
    Library library = library_of_call(call);
    Uuid album_id;

    *ret_failure = SYNC_FAILURE_NONE;
    free(shown->ids); /* of a try before */
    shown->ids = NULL;
    if (state_uuid(detail, "album", &album_id)) {
        int r = zip_album_ids(tx, &library, &album_id, &shown->ids, &shown->n);
        if (r == ZIP_E_TOO_MANY) {
            call->detail = ZIP_TOO_MANY_DETAIL;
            *ret_failure = SYNC_FAILURE_TOO_LARGE;
        }
        return r < 0 ? err_trace(r) : 0;
    }
    return err_trace(
        zip_picked_ids(tx, &library, json_object_get(detail, "photos"), &shown->ids, &shown->n));
}

void shared_zip_handle(HttpRequest *request, void *context) {
    _cleanup_(visit_done) Visit visit;
    SyncFailure failure = visit_begin(context, request, false, &visit);
    Shown shown = {.visit = &visit};
    const char *name;

    if (failure == SYNC_FAILURE_NONE && !may_download(&visit)) {
        failure = refuse_download(&visit);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_look(&visit.call, find_all, &shown);
    }
    if (failure != SYNC_FAILURE_NONE) {
        free(shown.ids);
        sync_call_respond(&visit.call, failure);
        return;
    }
    name = json_string_value(json_object_get(visit.share.detail, "name"));
    zip_respond(request, context, &visit.call.key, shown.ids, shown.n,
                arena_printf(visit.call.arena, "%s.zip", name && name[0] ? name : "photos"));
}

/* Twice as long after each further wrong one. */
static int64_t wait_us(const Share *share) {
    int64_t beyond = share->tries - FREE_TRIES;

    return beyond < 0 ? 0 : MIN(1LL << MIN(beyond, 20LL), (int64_t)WAIT_S_MAX) * 1000000;
}

/* Counts the try before the password is looked at, so that many at once are no way around it. */
static int begin_try(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Shown *shown = userdata;
    Library library = library_of_call(call);
    _cleanup_(share_done) Share share = {0};
    int r = share_get(tx, &library, &shown->visit->share.id, &share);
    int64_t left_us;

    *ret_failure = SYNC_FAILURE_NONE;
    if (r != 0) {
        *ret_failure = SYNC_FAILURE_NOT_FOUND;
        return r < 0 ? err_trace(r) : 0;
    }
    left_us = share.tried_us + wait_us(&share) - call->now_us;
    if (left_us > 0) {
        call->retry_after_s = (uint32_t)(left_us / 1000000) + 1;
        *ret_failure = SYNC_FAILURE_TOO_MANY_TRIES;
        return 0;
    }
    return err_trace(share_note_tries(tx, &library, &share.id, share.tries + 1));
}

static int end_try(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Shown *shown = userdata;
    Library library = library_of_call(call);

    *ret_failure = SYNC_FAILURE_NONE;
    return err_trace(share_note_tries(tx, &library, &shown->visit->share.id, 0));
}

typedef struct Unlock {
    const char *password;
} Unlock;

static const JsonField unlock_fields[] = {
    {"password", JSON_FIELD_STR, offsetof(Unlock, password), true, 1, PASSWORD_LEN_MAX},
    {0},
};

static SyncFailure try_password(SyncCall *call, Shown *shown, const char *password) {
    const json_t *detail = shown->visit->share.detail;
    const char *hash = json_string_value(json_object_get(detail, "password_hash"));
    SyncFailure failure;
    int r;

    if (!hash) {
        return SYNC_FAILURE_NONE;
    }
    failure = sync_call_write_plain(call, begin_try, shown);
    if (failure != SYNC_FAILURE_NONE) {
        return failure;
    }
    r = password_verify(call->service->passwords, str_from(password), hash);
    if (r == PASSWORD_E_WRONG) {
        return SYNC_FAILURE_WRONG_PASSWORD;
    }
    return r != 0 ? sync_call_fault(call, r < 0 ? r : -EBUSY)
                  : sync_call_write_plain(call, end_try, shown);
}

void shared_unlock_handle(HttpRequest *request, void *context) {
    _cleanup_(visit_done) Visit visit;
    SyncCall *call = &visit.call;
    SyncFailure failure = visit_begin(context, request, true, &visit);
    Shown shown = {.visit = &visit};
    const char *pass, *cookie = NULL;
    Unlock unlock = {0};

    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_read(call, unlock_fields, &unlock);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = try_password(call, &shown, unlock.password);
    }
    if (failure != SYNC_FAILURE_NONE) {
        sync_call_respond(call, failure);
        return;
    }
    pass = visit_pass(&visit);
    call->body = json_pack("{s:s,s:I}", "pass", pass, "expires",
                           (json_int_t)(call->now_us / 1000 + VISIT_PASS_S * 1000));
    (void)http_cookie_format(
        &(HttpCookie){.name = "share-pass",
                      .value = pass,
                      .path = arena_printf(call->arena, "/v1/shared/%s",
                                           http_request_param(request, "token")),
                      .max_age_s = VISIT_PASS_S,
                      .same_site = HTTP_SAME_SITE_STRICT,
                      .secure = str_starts_with(str_from(http_request_header(request, "Origin")),
                                                str_lit("https://")),
                      .http_only = true},
        call->arena, &cookie);
    call->status = 200;
    respond(call, cookie);
}
