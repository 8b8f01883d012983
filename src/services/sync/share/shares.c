/* SPDX-License-Identifier: Apache-2.0 */

/* What owners do with their links: POST and GET /v1/shares, GET and DELETE /v1/shares/{id}. */

#include "base/crypto/digest.h"
#include "base/crypto/password.h"
#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/error.h"
#include "services/sync/change.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/zip.h"
#include "services/sync/share/share_store.h"

#define NAME_MAX_LEN 200
/* Beyond, a number of milliseconds is no time of a link. */
#define EXPIRES_MS_MAX 253402300799999.0

typedef struct Fields {
    const char *id, *album, *name, *password;
    uint64_t expires; /* milliseconds since 1970; 0: never */
    bool allow_download;
} Fields;

static const JsonField fields[] = {
    {"id", JSON_FIELD_STR, offsetof(Fields, id), false, 1, 100},
    {"album", JSON_FIELD_STR, offsetof(Fields, album), false, 1, 100},
    {"name", JSON_FIELD_STR, offsetof(Fields, name), false, 1, NAME_MAX_LEN},
    {"password", JSON_FIELD_STR, offsetof(Fields, password), false, 1, PASSWORD_LEN_MAX},
    {"expires", JSON_FIELD_U64, offsetof(Fields, expires), false, 1, EXPIRES_MS_MAX},
    {"allow_download", JSON_FIELD_BOOL, offsetof(Fields, allow_download), false},
    {0},
};

typedef struct Act {
    Uuid album_id;
    bool has_album;
    const json_t *photos; /* ids; NULL: the album */
    Share share;
    char token[SHARE_TOKEN_LEN + 1];
} Act;

static void act_done(Act *act) {
    share_done(&act->share);
    secret_wipe(act->token, sizeof(act->token));
}

static json_t *share_json(const Share *share) {
    char id[UUID_TEXT_SIZE];
    json_t *json;

    uuid_text(&share->id, id);
    json = json_pack("{s:s,s:I,s:b}", "id", id, "created", (json_int_t)(share->created_us / 1000),
                     "password", json_object_get(share->detail, "password_hash") != NULL);
    if (share->expires_us > 0) {
        json_object_set_new(json, "expires", json_integer(share->expires_us / 1000));
    }
    json_object_update(json, share->detail);
    json_object_del(json, "password_hash");
    return json;
}

static SyncFailure wrong(SyncCall *call, const char *detail) {
    call->detail = detail;
    return SYNC_FAILURE_INVALID_FIELD;
}

static SyncFailure check_fields(SyncCall *call, const Fields *body, const json_t *photos,
                                Act *act) {
    if ((body->album != NULL) == (photos != NULL)) {
        return wrong(call, "Give either album or photos.");
    }
    act->has_album = body->album != NULL;
    if (body->album && uuid_parse(str_from(body->album), &act->album_id) < 0) {
        return wrong(call, "album: give the id of an album.");
    }
    act->photos = photos;
    if (photos && !zip_picked_valid(photos)) {
        return wrong(call, "photos: give the ids of 1 to 1000 photos.");
    }
    if (body->name && !text_is_line(str_from(body->name), NAME_MAX_LEN)) {
        return wrong(call, "name: give at most 200 bytes without control characters.");
    }
    if (body->password && strlen(body->password) < PASSWORD_LEN_MIN) {
        return wrong(call, "password: give at least 8 bytes.");
    }
    if (body->expires > 0 && (int64_t)body->expires * 1000 <= call->now_us) {
        return wrong(call, "expires: give a time that is still to come.");
    }
    return change_new_id(call, body->id, &act->share.id);
}

static SyncFailure make_detail(SyncCall *call, const Fields *body, const json_t *photos, Act *act) {
    char hash[PASSWORD_HASH_SIZE];
    json_t *detail = json_pack("{s:b,s:s}", "allow_download", body->allow_download, "name",
                               body->name ? body->name : "");
    int r;

    act->share.detail = detail;
    if (body->album) {
        json_object_set_new(detail, "album", json_string(body->album));
    } else {
        json_object_set(detail, "photos", (json_t *)photos);
    }
    if (body->password) {
        r = password_hash(call->service->passwords, str_from(body->password), hash);
        if (r != 0) {
            return sync_call_fault(call, r < 0 ? r : -EBUSY);
        }
        json_object_set_new(detail, "password_hash", json_string(hash));
    }
    return SYNC_FAILURE_NONE;
}

static void make_secret(SyncCall *call, const Fields *body, Act *act) {
    uint8_t secret[SHARE_SECRET_LEN];

    random_bytes(secret, sizeof(secret));
    digest_sha256((Str){(const char *)secret, sizeof(secret)}, act->share.secret_hash);
    share_token_write(&call->caller.user_id, &act->share.id, secret, act->token);
    secret_wipe(secret, sizeof(secret));
    act->share.created_us = call->now_us;
    act->share.expires_us = (int64_t)body->expires * 1000;
}

/* All that it is to show are the caller's. */
static int check_shown(DbTx *tx, SyncCall *call, const Act *act, SyncFailure *ret_failure) {
    Library library = library_of_call(call);
    Uuid id = act->album_id;
    int r = 0;

    for (size_t i = 0; r == 0 && i < (act->has_album ? 1 : json_array_size(act->photos)); i++) {
        _cleanup_(object_done) Object object = {0};
        if (!act->has_album) {
            (void)uuid_parse(str_from(json_string_value(json_array_get(act->photos, i))), &id);
        }
        r = object_get(tx, &library, act->has_album ? OBJECT_ALBUM : OBJECT_PHOTO, &id, &object);
    }
    if (r > 0) {
        call->detail =
            act->has_album ? "album: there is no such album." : "photos: one of them is not there.";
        *ret_failure = SYNC_FAILURE_INVALID_FIELD;
    }
    return r < 0 ? err_trace(r) : 0;
}

static int add(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Act *act = userdata;
    Library library = library_of_call(call);
    Uuid *ids;
    size_t n;
    int r = check_shown(tx, call, act, ret_failure);

    if (r == 0 && *ret_failure == SYNC_FAILURE_NONE) {
        r = share_list(tx, &library, &ids, &n);
        if (r == 0 && n >= SHARES_MAX) {
            call->detail = "There are 1000 links: take some back.";
            *ret_failure = SYNC_FAILURE_CONFLICT;
        }
    }
    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    r = share_add(tx, &library, &act->share);
    if (r == DB_E_EXISTS) {
        call->detail = "id: it is another's.";
        *ret_failure = SYNC_FAILURE_CONFLICT;
        return 0;
    }
    call->status = 201;
    call->body = share_json(&act->share);
    json_object_set_new(call->body, "token", json_string(act->token));
    json_object_set_new(call->body, "path",
                        json_string(arena_printf(call->arena, "/v1/shared/%s", act->token)));
    return err_trace(r);
}

static SyncFailure post(SyncCall *call) {
    _cleanup_(act_done) Act act = {0};
    JsonMember photos = {"photos", NULL};
    Fields body = {.allow_download = true};
    SyncFailure failure = sync_call_read_members(call, fields, &body, &photos, 1);

    if (failure == SYNC_FAILURE_NONE) {
        failure = check_fields(call, &body, photos.value, &act);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = make_detail(call, &body, photos.value, &act);
    }
    if (failure == SYNC_FAILURE_NONE) {
        make_secret(call, &body, &act);
        failure = sync_call_write(call, add, &act);
    }
    json_decref(photos.value);
    return failure;
}

void share_add_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, post);
}

static int look_one(DbTx *tx, SyncCall *call, const Uuid *id, json_t **ret_json) {
    Library library = library_of_call(call);
    _cleanup_(share_done) Share share = {0};
    int r = share_get(tx, &library, id, &share);

    *ret_json = r == 0 ? share_json(&share) : NULL;
    return r < 0 ? err_trace(r) : r;
}

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    int r = look_one(tx, call, userdata, &call->body);

    *ret_failure = r == SHARE_E_NONE ? SYNC_FAILURE_NOT_FOUND : SYNC_FAILURE_NONE;
    return r < 0 ? err_trace(r) : 0;
}

static SyncFailure get(SyncCall *call) {
    Uuid id;
    SyncFailure failure = sync_call_id(call, "id", &id);

    return failure == SYNC_FAILURE_NONE ? sync_call_look(call, look, &id) : failure;
}

void share_get_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, get);
}

static int list(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Library library = library_of_call(call);
    json_t *shares = json_array(), *json;
    Uuid *ids;
    size_t n;
    int r = share_list(tx, &library, &ids, &n);

    (void)userdata;
    *ret_failure = SYNC_FAILURE_NONE;
    call->body = json_pack("{s:o}", "shares", shares);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = look_one(tx, call, &ids[i], &json);
        if (r == 0) {
            json_array_append_new(shares, json);
        }
    }
    return r < 0 ? err_trace(r) : 0;
}

static SyncFailure get_list(SyncCall *call) {
    return sync_call_look(call, list, NULL);
}

void share_list_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, get_list);
}

static int drop(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Library library = library_of_call(call);
    int r = share_remove(tx, &library, userdata);

    *ret_failure = r == SHARE_E_NONE ? SYNC_FAILURE_NOT_FOUND : SYNC_FAILURE_NONE;
    return r < 0 ? err_trace(r) : 0;
}

static SyncFailure delete (SyncCall *call) {
    Uuid id;
    SyncFailure failure = sync_call_id(call, "id", &id);

    return failure == SYNC_FAILURE_NONE ? sync_call_write(call, drop, &id) : failure;
}

void share_delete_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, delete);
}
