/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Edits: recipes of photos, opaque here. A device that changes one which another has changed
 * meanwhile does not lose what it sent: that becomes an edit of its own, which says what it
 * diverged from, and the user picks.
 */

#include "base/error.h"
#include "base/http/json_body.h"
#include "services/sync/change.h"
#include "services/sync/edit/edit_index.h"
#include "services/sync/photo/photo_state.h"

#define RECIPE_MAX ((size_t)64 << 10) /* bytes of its JSON */

typedef struct Fields {
    const char *id, *photo;
} Fields;

static const JsonField add_fields[] = {
    {"id", JSON_FIELD_STR, offsetof(Fields, id), false, 1, 100},
    {"photo", JSON_FIELD_STR, offsetof(Fields, photo), true, 1, 100},
    {0},
};
static const JsonField put_fields[] = {{0}};

typedef struct Act {
    Uuid id, photo_id;
    int64_t version;
    json_t *recipe;
} Act;

static void act_done(Act *act) {
    json_decref(act->recipe);
}

static SyncFailure read_recipe(SyncCall *call, const JsonField *fields, Fields *ret_fields,
                               Act *act) {
    JsonMember recipe = {"recipe", NULL};
    SyncFailure failure = sync_call_read_members(call, fields, ret_fields, &recipe, 1);

    act->recipe = recipe.value;
    if (failure != SYNC_FAILURE_NONE) {
        return failure;
    }
    if (!json_is_object(act->recipe) ||
        json_dumpb(act->recipe, NULL, 0, JSON_COMPACT) > RECIPE_MAX) {
        call->detail = "recipe: give a JSON object of at most 64 KiB.";
        return SYNC_FAILURE_INVALID_FIELD;
    }
    return SYNC_FAILURE_NONE;
}

static json_t *state_of(const SyncCall *call, const char *photo, json_t *recipe,
                        const char *diverged_from) {
    char device[UUID_TEXT_SIZE];
    json_t *state;

    uuid_text(&call->caller.device_id, device);
    state = json_pack("{s:s,s:O,s:s}", "photo", photo, "recipe", recipe, "device", device);
    if (diverged_from) {
        json_object_set_new(state, "diverged_from", json_string(diverged_from));
    }
    return state;
}

/* There is such a photo, and it has not too many edits. */
static int check_photo(DbTx *tx, SyncCall *call, const Library *library, const Uuid *photo_id,
                       SyncFailure *ret_failure) {
    _cleanup_(object_done) Object photo = {0};
    Uuid *ids;
    size_t n = 0;
    int r = object_get(tx, library, OBJECT_PHOTO, photo_id, &photo);

    if (r == 0) {
        r = edit_index_list(tx, library, photo_id, &ids, &n);
        r = r < 0 ? r : 0;
    } else if (r > 0) {
        call->detail = "photo: there is no such photo.";
        *ret_failure = SYNC_FAILURE_INVALID_FIELD;
        return 0;
    }
    if (r == 0 && n >= EDITS_MAX) {
        call->detail = "A photo has at most 1000 edits: remove some.";
        *ret_failure = SYNC_FAILURE_CONFLICT;
    }
    return err_trace(r);
}

static int write_new(DbTx *tx, SyncCall *call, const Uuid *id, json_t *state) {
    Library library = library_of_call(call);
    _cleanup_(object_done) Object edit = {0};
    int r = object_put(tx, &library, OBJECT_EDIT, id, 0, state, &edit);

    if (r == 0) {
        change_answer(call, OBJECT_EDIT, &edit, 201);
    }
    return err_trace(r);
}

static int add(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Act *act = userdata;
    Library library = library_of_call(call);
    char photo[UUID_TEXT_SIZE];
    int r = change_is_new(tx, call, OBJECT_EDIT, &act->id, ret_failure);

    if (r == 0 && *ret_failure == SYNC_FAILURE_NONE) {
        r = check_photo(tx, call, &library, &act->photo_id, ret_failure);
    }
    if (r == 0 && *ret_failure == SYNC_FAILURE_NONE) {
        uuid_text(&act->photo_id, photo);
        _cleanup_(json_decrefp) json_t *state = state_of(call, photo, act->recipe, NULL);
        r = write_new(tx, call, &act->id, state);
    }
    return err_trace(r);
}

static SyncFailure post(SyncCall *call) {
    _cleanup_(act_done) Act act = {0};
    Fields fields = {0};
    SyncFailure failure = read_recipe(call, add_fields, &fields, &act);

    if (failure == SYNC_FAILURE_NONE) {
        failure = change_new_id(call, fields.id, &act.id);
    }
    if (failure == SYNC_FAILURE_NONE && uuid_parse(str_from(fields.photo), &act.photo_id) < 0) {
        call->detail = "photo: give the id of a photo.";
        return SYNC_FAILURE_INVALID_FIELD;
    }
    return failure == SYNC_FAILURE_NONE ? sync_call_write(call, add, &act) : failure;
}

void edit_add_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, post);
}

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Act *act = userdata;
    _cleanup_(object_done) Object edit = {0};
    int r =
        change_begin(tx, call, OBJECT_EDIT, &act->id, CHANGE_ANY_VERSION, NULL, &edit, ret_failure);

    if (r == 0 && *ret_failure == SYNC_FAILURE_NONE) {
        change_answer(call, OBJECT_EDIT, &edit, 200);
    }
    return err_trace(r);
}

static SyncFailure get(SyncCall *call) {
    Act act = {0};
    SyncFailure failure = sync_call_id(call, "id", &act.id);

    return failure == SYNC_FAILURE_NONE ? sync_call_look(call, look, &act) : failure;
}

void edit_get_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, get);
}

/* Both are kept: what was sent as another edit. */
static int diverge(DbTx *tx, SyncCall *call, const Act *act, const Object *edit,
                   SyncFailure *ret_failure) {
    Library library = library_of_call(call);
    const char *photo = json_string_value(json_object_get(edit->state, "photo"));
    char from[UUID_TEXT_SIZE];
    Uuid id = uuid_new(), photo_id;
    int r = state_uuid(edit->state, "photo", &photo_id)
                ? check_photo(tx, call, &library, &photo_id, ret_failure)
                : -EBADMSG;

    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    uuid_text(&edit->id, from);
    _cleanup_(json_decrefp) json_t *state = state_of(call, photo, act->recipe, from);
    return err_trace(write_new(tx, call, &id, state));
}

static int replace(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Act *act = userdata;
    Library library = library_of_call(call);
    _cleanup_(object_done) Object edit = {0}, changed = {0};
    _cleanup_(json_decrefp) json_t *state = NULL;
    int r =
        change_begin(tx, call, OBJECT_EDIT, &act->id, CHANGE_ANY_VERSION, NULL, &edit, ret_failure);

    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    if (json_equal(json_object_get(edit.state, "recipe"), act->recipe)) {
        change_answer(call, OBJECT_EDIT, &edit, 200); /* whoever wrote it */
        return 0;
    }
    if (act->version != edit.version) {
        return err_trace(diverge(tx, call, act, &edit, ret_failure));
    }
    state = state_of(call, json_string_value(json_object_get(edit.state, "photo")), act->recipe,
                     json_string_value(json_object_get(edit.state, "diverged_from")));
    r = object_put(tx, &library, OBJECT_EDIT, &act->id, edit.version, state, &changed);
    if (r == 0) {
        change_answer(call, OBJECT_EDIT, &changed, 200);
    }
    return err_trace(r);
}

static SyncFailure put(SyncCall *call) {
    _cleanup_(act_done) Act act = {0};
    Fields fields = {0};
    SyncFailure failure = sync_call_id(call, "id", &act.id);

    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_version(call, &act.version);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = read_recipe(call, put_fields, &fields, &act);
    }
    return failure == SYNC_FAILURE_NONE ? sync_call_write(call, replace, &act) : failure;
}

void edit_put_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, put);
}

static int drop(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Act *act = userdata;
    Library library = library_of_call(call);
    _cleanup_(object_done) Object edit = {0};
    Object removed;
    int r = change_begin(tx, call, OBJECT_EDIT, &act->id, act->version, NULL, &edit, ret_failure);

    if (r == 0 && *ret_failure == SYNC_FAILURE_NONE) {
        r = object_remove(tx, &library, OBJECT_EDIT, &act->id, edit.version, &removed);
        if (r == 0) {
            change_answer(call, OBJECT_EDIT, &removed, 200);
        }
    }
    return err_trace(r);
}

static SyncFailure delete (SyncCall *call) {
    Act act = {.version = change_if_match(call)};
    SyncFailure failure = sync_call_id(call, "id", &act.id);

    return failure == SYNC_FAILURE_NONE ? sync_call_write(call, drop, &act) : failure;
}

void edit_delete_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, delete);
}

static int list(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Act *act = userdata;
    Library library = library_of_call(call);
    _cleanup_(object_done) Object photo = {0};
    json_t *edits;
    Uuid *ids;
    size_t n;
    int r = change_begin(tx, call, OBJECT_PHOTO, &act->id, CHANGE_ANY_VERSION, NULL, &photo,
                         ret_failure);

    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    edits = json_array();
    call->body = json_pack("{s:o}", "edits", edits);
    r = edit_index_list(tx, &library, &act->id, &ids, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        _cleanup_(object_done) Object edit = {0};
        r = object_get(tx, &library, OBJECT_EDIT, &ids[i], &edit);
        if (r == 0) {
            json_array_append_new(edits, object_json(OBJECT_EDIT, &edit));
        }
        r = r > 0 ? 0 : r;
    }
    return err_trace(r);
}

static SyncFailure get_list(SyncCall *call) {
    Act act = {0};
    SyncFailure failure = sync_call_id(call, "id", &act.id);

    return failure == SYNC_FAILURE_NONE ? sync_call_look(call, list, &act) : failure;
}

void edit_list_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, get_list);
}
