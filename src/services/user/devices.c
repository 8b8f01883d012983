/* SPDX-License-Identifier: Apache-2.0 */

/* The devices somebody is signed in with: seen, named and signed out. */

#include "base/error.h"
#include "services/user/account_store.h"
#include "services/user/read_token.h"
#include "services/user/sessions.h"
#include "services/user/text.h"

typedef struct Devices {
    UserCall *call;
    Uuid session_id;
    const char *name;
    Session *sessions;
    size_t n;
    bool keep_current;
    Uuid *ended;
    size_t n_ended;
} Devices;

static int load(DbTx *tx, void *userdata) {
    Devices *devices = userdata;
    UserCall *call = devices->call;
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    if (r == 0) {
        r = session_store_list(tx, &account.key, call->now_us, call->arena, &devices->sessions,
                               &devices->n);
    }
    return r < 0 ? err_trace(r) : r;
}

static UserFailure list(UserCall *call, json_t **ret_body) {
    Devices devices = {.call = call};
    int r = db_read(call->service->options.db, read_token_after(call), load, &devices);

    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    *ret_body = json_pack("{s:[]}", "sessions");
    for (size_t i = 0; i < devices.n; i++) {
        json_array_append_new(json_object_get(*ret_body, "sessions"),
                              sessions_json(call, &devices.sessions[i]));
    }
    return USER_FAILURE_NONE;
}

void session_list_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, list);
}

/* "current", or the id of a session. */
static bool read_id(UserCall *call, Uuid *ret_id) {
    const char *text = http_request_param(call->request, "id");

    if (strcmp(text, "current") == 0) {
        *ret_id = call->session.session_id;
        return true;
    }
    return uuid_parse(str_from(text), ret_id) == 0;
}

typedef struct RenameBody {
    const char *name;
} RenameBody;

static const JsonField rename_fields[] = {
    {"name", JSON_FIELD_STR, offsetof(RenameBody, name), true, .max = 200},
    {0},
};

static int give_name(DbTx *tx, void *userdata) {
    Devices *devices = userdata;
    UserCall *call = devices->call;
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    if (r == 0) {
        r = session_store_list(tx, &account.key, call->now_us, call->arena, &devices->sessions,
                               &devices->n);
    }
    for (size_t i = 0; r == 0 && i < devices->n; i++) {
        Session *session = &devices->sessions[i];
        if (uuid_equal(&session->session_id, &devices->session_id)) {
            session->device.name = devices->name;
            r = session_store_rename(tx, &account.key, call->arena, &session->session_id,
                                     &session->device);
            return r < 0 ? err_trace(r) : r;
        }
    }
    return r < 0 ? err_trace(r) : SESSION_E_NONE;
}

static UserFailure rename_device(UserCall *call, json_t **ret_body) {
    Devices devices = {.call = call};
    RenameBody body;
    UserFailure failure = user_call_read(call, rename_fields, &body);
    int r;

    *ret_body = NULL;
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (!text_is_plain(body.name, 200)) {
        call->detail = "name: has characters that cannot be seen.";
        return USER_FAILURE_INVALID_FIELD;
    }
    if (!read_id(call, &devices.session_id)) {
        return USER_FAILURE_NOT_FOUND;
    }
    devices.name = body.name;
    r = db_write(call->service->options.db, give_name, &devices, read_token_noted(call));
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_NOT_FOUND;
    }
    return USER_FAILURE_NONE;
}

void session_rename_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, rename_device);
}

static int note(DbTx *tx, UserCall *call, const char *action, const char *subject) {
    AuditEvent event = user_call_event(call, action, subject);
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    if (r == 0) {
        r = audit_append(tx, call->service->vault, &account.key, call->now_us, call->arena, &event);
    }
    return r < 0 ? err_trace(r) : r;
}

static int end_one(DbTx *tx, void *userdata) {
    Devices *devices = userdata;
    UserCall *call = devices->call;
    char *id = arena_alloc(call->arena, UUID_TEXT_SIZE);
    int r = session_store_remove(tx, &call->session.user_id, &devices->session_id);

    uuid_text(&devices->session_id, id);
    if (r == 0) {
        r = note(tx, call, "session.ended", id);
    }
    return r < 0 ? err_trace(r) : r;
}

static UserFailure end(UserCall *call, json_t **ret_body) {
    Devices devices = {.call = call};
    int r;

    *ret_body = NULL;
    if (!read_id(call, &devices.session_id)) {
        return USER_FAILURE_NOT_FOUND;
    }
    r = db_write(call->service->options.db, end_one, &devices, read_token_noted(call));
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_NOT_FOUND;
    }
    sessions_forget(call, &devices.session_id, 1);
    if (uuid_equal(&devices.session_id, &call->session.session_id)) {
        call->set_cookie = user_call_cookie(call, NULL);
    }
    return USER_FAILURE_NONE;
}

void session_remove_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, end);
}

static int end_all(DbTx *tx, void *userdata) {
    Devices *devices = userdata;
    UserCall *call = devices->call;
    const Uuid *keep = devices->keep_current ? &call->session.session_id : NULL;
    int r = session_store_remove_all(tx, &call->session.user_id, keep, call->arena, &devices->ended,
                                     &devices->n_ended);

    if (r == 0) {
        r = note(tx, call, "sessions.ended", keep ? "all others" : "all");
    }
    return r < 0 ? err_trace(r) : r;
}

static UserFailure end_every(UserCall *call, json_t **ret_body) {
    const char *keep = http_request_query(call->request, "keep");
    Devices devices = {.call = call, .keep_current = keep && strcmp(keep, "current") == 0};
    int r;

    *ret_body = NULL;
    if (keep && !devices.keep_current) {
        call->detail = "keep: can only be current.";
        return USER_FAILURE_INVALID_FIELD;
    }
    r = db_write(call->service->options.db, end_all, &devices, read_token_noted(call));
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    sessions_forget(call, devices.ended, devices.n_ended);
    if (!devices.keep_current) {
        call->set_cookie = user_call_cookie(call, NULL);
    }
    return USER_FAILURE_NONE;
}

void session_remove_all_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, end_every);
}
