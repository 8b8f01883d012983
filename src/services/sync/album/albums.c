/* SPDX-License-Identifier: Apache-2.0 */

/* /v1/albums: their names and covers. Which photos are in one is told by the photos. */

#include "base/error.h"
#include "services/sync/change.h"
#include "services/sync/object_list.h"

#define NAME_LEN_MAX 400 /* bytes */
#define LIMIT_USUAL  200
#define LIMIT_MAX    500

typedef struct AlbumBody {
    const char *id, *name;
} AlbumBody;

static const JsonField album_fields[] = {
    {"id", JSON_FIELD_STR, offsetof(AlbumBody, id), .max = 64},
    {"name", JSON_FIELD_STR, offsetof(AlbumBody, name), .max = NAME_LEN_MAX},
    {0},
};

typedef struct Change {
    AlbumBody body;
    json_t *cover; /* what was sent; NULL: nothing */
    json_t *sent;
    Uuid id, cover_id;
    int64_t version;
} Change;

static void change_done(Change *change) {
    json_decref(change->cover);
    json_decref(change->sent);
}

static bool is_plain(const char *text) {
    bool blank = true;

    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            return false;
        }
        blank = blank && *at == ' ';
    }
    return !blank;
}

static SyncFailure read_body(SyncCall *call, Change *change) {
    JsonMember members[] = {{.name = "cover"}};
    SyncFailure failure = sync_call_read_members(call, album_fields, &change->body, members, 1);

    if (failure != SYNC_FAILURE_NONE) {
        return failure;
    }
    change->cover = members[0].value;
    change->sent = json_loadb(http_request_body(call->request).ptr,
                              http_request_body(call->request).len, 0, NULL);
    if (change->body.name && !is_plain(change->body.name)) {
        call->detail = "name: give 1 to 400 bytes of text without control characters.";
        return SYNC_FAILURE_INVALID_FIELD;
    }
    if (change->cover && !json_is_null(change->cover) &&
        (!json_is_string(change->cover) ||
         uuid_parse(str_from(json_string_value(change->cover)), &change->cover_id) < 0)) {
        call->detail = "cover: give the id of a photo, or null.";
        return SYNC_FAILURE_INVALID_FIELD;
    }
    return SYNC_FAILURE_NONE;
}

/* A cover is a photo of the library; sets *ret_failure. */
static int check_cover(DbTx *tx, SyncCall *call, const Change *change, SyncFailure *ret_failure) {
    _cleanup_(object_done) Object photo = {0};
    Library library = library_of_call(call);
    int r = 0;

    *ret_failure = SYNC_FAILURE_NONE;
    if (json_is_string(change->cover)) {
        r = object_get(tx, &library, OBJECT_PHOTO, &change->cover_id, &photo);
    }
    if (r > 0) {
        call->detail = "cover: there is no such photo.";
        *ret_failure = SYNC_FAILURE_INVALID_FIELD;
        return 0;
    }
    return err_trace(r);
}

static int put(DbTx *tx, SyncCall *call, const Change *change, int64_t version, json_t *state,
               unsigned status) {
    _cleanup_(object_done) Object object = {0};
    Library library = library_of_call(call);
    int r = object_put(tx, &library, OBJECT_ALBUM, &change->id, version, state, &object);

    if (r < 0) {
        return err_trace(r);
    }
    change_answer(call, OBJECT_ALBUM, &object, status);
    return 0;
}

static int create(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Change *change = userdata;
    _cleanup_(json_decrefp) json_t *state = NULL;
    int r = change_is_new(tx, call, OBJECT_ALBUM, &change->id, ret_failure);

    if (r == 0 && *ret_failure == SYNC_FAILURE_NONE) {
        r = check_cover(tx, call, change, ret_failure);
    }
    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    state = json_pack("{s:s,s:I}", "name", change->body.name, "created",
                      (json_int_t)(call->now_us / 1000));
    if (json_is_string(change->cover)) {
        json_object_set(state, "cover", change->cover);
    }
    return put(tx, call, change, 0, state, 201);
}

static SyncFailure album_create(SyncCall *call) {
    _cleanup_(change_done) Change change = {0};
    SyncFailure failure = read_body(call, &change);

    if (failure == SYNC_FAILURE_NONE && !change.body.name) {
        call->detail = "name: missing.";
        failure = SYNC_FAILURE_INVALID_FIELD;
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = change_new_id(call, change.body.id, &change.id);
    }
    return failure == SYNC_FAILURE_NONE ? sync_call_write(call, create, &change) : failure;
}

static int patch(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Change *change = userdata;
    _cleanup_(object_done) Object object = {0};
    _cleanup_(json_decrefp) json_t *state = NULL;
    int r = change_begin(tx, call, OBJECT_ALBUM, &change->id, change->version, change->sent,
                         &object, ret_failure);

    if (r == 0 && *ret_failure == SYNC_FAILURE_NONE) {
        r = check_cover(tx, call, change, ret_failure);
    }
    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    state = json_copy(object.state);
    if (change->body.name) {
        json_object_set_new(state, "name", json_string(change->body.name));
    }
    if (json_is_null(change->cover)) {
        json_object_del(state, "cover");
    } else if (change->cover) {
        json_object_set(state, "cover", change->cover);
    }
    if (json_equal(state, object.state)) {
        change_answer(call, OBJECT_ALBUM, &object, 200);
        return 0;
    }
    return put(tx, call, change, object.version, state, 200);
}

static SyncFailure album_patch(SyncCall *call) {
    _cleanup_(change_done) Change change = {0};
    SyncFailure failure = sync_call_id(call, "id", &change.id);

    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_version(call, &change.version);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = read_body(call, &change);
    }
    if (failure == SYNC_FAILURE_NONE && change.body.id) {
        call->detail = "id: it does not change.";
        failure = SYNC_FAILURE_INVALID_FIELD;
    }
    return failure == SYNC_FAILURE_NONE ? sync_call_write(call, patch, &change) : failure;
}

static int take_away(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Change *change = userdata;
    _cleanup_(object_done) Object object = {0}, gone = {0};
    Library library = library_of_call(call);
    int r = change_begin(tx, call, OBJECT_ALBUM, &change->id, change->version, NULL, &object,
                         ret_failure);

    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    return err_trace(object_remove(tx, &library, OBJECT_ALBUM, &change->id, object.version, &gone));
}

static SyncFailure album_remove(SyncCall *call) {
    Change change = {.version = change_if_match(call)};
    SyncFailure failure = sync_call_id(call, "id", &change.id);

    return failure == SYNC_FAILURE_NONE ? sync_call_write(call, take_away, &change) : failure;
}

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    _cleanup_(object_done) Object object = {0};
    int r = change_begin(tx, call, OBJECT_ALBUM, userdata, CHANGE_ANY_VERSION, NULL, &object,
                         ret_failure);

    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    change_answer(call, OBJECT_ALBUM, &object, 200);
    return 0;
}

static SyncFailure album_get(SyncCall *call) {
    Uuid id;
    SyncFailure failure = sync_call_id(call, "id", &id);

    return failure == SYNC_FAILURE_NONE ? sync_call_look(call, look, &id) : failure;
}

typedef struct List {
    ObjectCursor after;
    size_t limit;
} List;

static int list(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const List *wanted = userdata;
    Library library = library_of_call(call);
    ObjectCursor next;
    json_t *albums;
    bool more;
    int r = object_list(tx, &library, OBJECT_ALBUM, &wanted->after, wanted->limit, &albums, &next,
                        &more);

    if (r < 0) {
        return err_trace(r);
    }
    call->body = json_pack("{s:o,s:o}", "albums", albums, "next",
                           more ? json_string(cursor_text(&next, call->arena)) : json_null());
    *ret_failure = SYNC_FAILURE_NONE;
    return 0;
}

static SyncFailure album_list(SyncCall *call) {
    List wanted = {0};
    SyncFailure failure =
        cursor_of_query(call, LIMIT_USUAL, LIMIT_MAX, &wanted.after, &wanted.limit);

    return failure != SYNC_FAILURE_NONE ? failure : sync_call_look(call, list, &wanted);
}

void album_create_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, album_create);
}

void album_list_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, album_list);
}

void album_get_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, album_get);
}

void album_patch_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, album_patch);
}

void album_remove_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, album_remove);
}
