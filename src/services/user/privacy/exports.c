/* SPDX-License-Identifier: Apache-2.0 */

/* One's own exports: asked for, looked at, downloaded. */

#include "base/error.h"
#include "base/fd.h"
#include "services/user/call.h"
#include "services/user/privacy/export.h"
#include "services/user/read_token.h"

typedef struct Exports {
    UserCall *call;
    Export export;
    Export *all;
    size_t n;
    UserKey key;
    Arena *arena; /* of one part */
    int64_t part;
    Str bytes;
} Exports;

static json_t *export_json(const Export *export) {
    bool is_ready = export->state == EXPORT_READY;
    char id[UUID_TEXT_SIZE];
    json_t *json;

    uuid_text(&export->export_id, id);
    json = json_pack("{s:s,s:s,s:I}", "id", id, "status", export_state_names[export->state],
                     "created", (json_int_t)(export->created_us / 1000000));
    if (is_ready) {
        json_object_set_new(json, "ready", json_integer(export->ready_us / 1000000));
        json_object_set_new(json, "expires", json_integer(export->due_us / 1000000));
        json_object_set_new(json, "bytes", json_integer(export->len));
    }
    if (export->state == EXPORT_FAILED) {
        json_object_set_new(json, "reason", json_string(export_reason_names[export->reason]));
    }
    return json;
}

static int note(DbTx *tx, const Exports *exports, const char *action) {
    UserCall *call = exports->call;
    const Vault *vault = call->service->vault;
    char *id = arena_alloc(call->arena, UUID_TEXT_SIZE);
    AuditEvent event = user_call_event(call, action, id);
    _cleanup_(account_done) Account account = {0};
    int r = account_store_get(tx, vault, &call->session.user_id, call->arena, &account);

    uuid_text(&exports->export.export_id, id);
    if (r != 0) {
        return err_trace(r < 0 ? r : -ENOENT);
    }
    return err_trace(audit_append(tx, vault, &account.key, call->now_us, call->arena, &event));
}

static int add(DbTx *tx, void *userdata) {
    Exports *exports = userdata;
    int r = export_store_add(tx, exports->call->arena, &exports->export);

    if (r == 0) {
        r = note(tx, exports, "export.asked");
    }
    return r < 0 ? err_trace(r) : r;
}

static UserFailure ask(UserCall *call, json_t **ret_body) {
    Exports exports = {.call = call,
                       .export = {.user_id = call->session.user_id,
                                  .created_us = call->now_us,
                                  .due_us = call->now_us}};
    int r = db_write(call->service->options.db, add, &exports, read_token_noted(call));

    if (r == EXPORT_E_BUSY) {
        call->detail = "One is being made already: GET /v1/me/exports tells of it.";
        return USER_FAILURE_CONFLICT;
    }
    if (r != 0) {
        return user_call_fault(call, r < 0 ? r : -EIO);
    }
    housekeeping_wake(call->service->housekeeping, EXPORT_CHORE);
    *ret_body = export_json(&exports.export);
    call->status = 202;
    return USER_FAILURE_NONE;
}

void export_ask_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, ask);
}

static int load_all(DbTx *tx, void *userdata) {
    Exports *exports = userdata;
    UserCall *call = exports->call;

    return err_trace(
        export_store_list(tx, &call->session.user_id, call->arena, &exports->all, &exports->n));
}

static UserFailure list(UserCall *call, json_t **ret_body) {
    Exports exports = {.call = call};
    int r = db_read(call->service->options.db, read_token_after(call), load_all, &exports);

    if (r != 0) {
        return user_call_fault(call, r < 0 ? r : -EIO);
    }
    *ret_body = json_pack("{s:[]}", "exports");
    for (size_t i = 0; i < exports.n; i++) {
        json_array_append_new(json_object_get(*ret_body, "exports"), export_json(&exports.all[i]));
    }
    return USER_FAILURE_NONE;
}

void export_list_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, list);
}

static int load_one(DbTx *tx, void *userdata) {
    Exports *exports = userdata;
    UserCall *call = exports->call;

    return export_store_get(tx, &call->session.user_id, &exports->export.export_id, call->arena,
                            &exports->export);
}

/* The caller's export that the path names. */
static UserFailure find(Exports *exports) {
    UserCall *call = exports->call;
    int r;

    if (uuid_parse(str_from(http_request_param(call->request, "id")), &exports->export.export_id) <
        0) {
        return USER_FAILURE_NOT_FOUND;
    }
    r = db_read(call->service->options.db, read_token_after(call), load_one, exports);
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_NOT_FOUND;
    }
    return USER_FAILURE_NONE;
}

static UserFailure get(UserCall *call, json_t **ret_body) {
    Exports exports = {.call = call};
    UserFailure failure = find(&exports);

    if (failure == USER_FAILURE_NONE) {
        *ret_body = export_json(&exports.export);
    }
    return failure;
}

void export_get_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, get);
}

static int load_key(DbTx *tx, void *userdata) {
    Exports *exports = userdata;
    UserCall *call = exports->call;
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    exports->key = account.key;
    return r < 0 ? err_trace(r) : r;
}

static int load_part(DbTx *tx, void *userdata) {
    Exports *exports = userdata;

    return export_store_get_part(tx, &exports->key, &exports->export.export_id, exports->part,
                                 exports->arena, &exports->bytes);
}

/* Part by part, so that the sealed and the opened are not there at once. */
static int read_parts(Exports *exports, int fd) {
    UserCall *call = exports->call;
    int r = 0;

    for (exports->part = 0; r == 0 && exports->part < exports->export.n_parts; exports->part++) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        exports->arena = arena;
        r = db_read(call->service->options.db, read_token_after(call), load_part, exports);
        if (r == 0) {
            r = fd_write_all(fd, exports->bytes.ptr, exports->bytes.len);
        }
    }
    return r < 0 ? err_trace(r) : r;
}

static int note_download(DbTx *tx, void *userdata) {
    return note(tx, userdata, "export.downloaded");
}

static UserFailure open_file(Exports *exports) {
    UserCall *call = exports->call;
    Db *db = call->service->options.db;
    _cleanup_(fd_closep) int fd = -1;
    int r = fd_memory_new("export", &fd);

    if (r == 0) {
        r = db_read(db, read_token_after(call), load_key, exports);
    }
    if (r == 0) {
        r = read_parts(exports, fd);
    }
    user_key_done(&exports->key);
    if (r == 0 && strcmp(http_request_method(call->request), "GET") == 0) {
        r = db_write(db, note_download, exports, read_token_noted(call));
    }
    if (r != 0) {
        /* It has gone between the two. */
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_NOT_FOUND;
    }
    r = export_file_open(call->service, &call->session.user_id, TAKE_FD(fd), call->arena,
                         &call->content.reader);
    return r < 0 ? user_call_fault(call, r) : USER_FAILURE_NONE;
}

static UserFailure download(UserCall *call, json_t **ret_body) {
    Exports exports = {.call = call};
    UserFailure failure = find(&exports);

    *ret_body = NULL;
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (exports.export.state != EXPORT_READY || exports.export.due_us <= call->now_us) {
        call->detail = "It is not ready, or is not kept any more.";
        return USER_FAILURE_NOT_FOUND;
    }
    failure = open_file(&exports);
    if (failure == USER_FAILURE_NONE) {
        call->content.type = "application/zip";
        call->content.save_as = "image-sync-data.zip";
    }
    return failure;
}

void export_file_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SESSION, download);
}
