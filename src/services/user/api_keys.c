/* SPDX-License-Identifier: Apache-2.0 */

/* One's own API keys: made, seen and revoked. */

#include "base/crypto/secret.h"
#include "base/error.h"
#include "core/contracts/access.h"
#include "services/user/access.h"
#include "services/user/account_store.h"
#include "services/user/api_key_store.h"
#include "services/user/call.h"
#include "services/user/read_token.h"
#include "services/user/text.h"

typedef struct Keys {
    UserCall *call;
    ApiKey key; /* the one that is made or revoked */
    ApiKey *all;
    size_t n;
} Keys;

static json_t *time_json(int64_t us) {
    return us == 0 ? json_null() : json_integer((json_int_t)(us / 1000000));
}

static json_t *scopes_json(uint32_t scopes) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    for (size_t i = 0; api_key_scope_names[i]; i++) {
        if (scopes & (1u << i)) {
            buf_addf(&text, "%s%s", text.len > 0 ? " " : "", api_key_scope_names[i]);
        }
    }
    return json_string(buf_cstr(&text));
}

static json_t *key_json(const ApiKey *key) {
    char id[UUID_TEXT_SIZE];

    uuid_text(&key->key_id, id);
    return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o}", "id", id, "name", key->name, "hint",
                     key->hint, "scope", scopes_json(key->scopes), "created",
                     time_json(key->created_us), "expires", time_json(key->expires_us), "used",
                     time_json(key->used_us));
}

static int load_all(DbTx *tx, void *userdata) {
    Keys *keys = userdata;
    UserCall *call = keys->call;
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    if (r == 0) {
        r = api_key_store_list(tx, &account.key, call->arena, &keys->all, &keys->n);
    }
    return r < 0 ? err_trace(r) : r;
}

static UserFailure list(UserCall *call, json_t **ret_body) {
    Keys keys = {.call = call};
    json_t *array;
    int r = db_read(call->service->options.db, read_token_after(call), load_all, &keys);

    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    array = json_array();
    for (size_t i = 0; i < keys.n; i++) {
        json_array_append_new(array, key_json(&keys.all[i]));
    }
    *ret_body = json_pack("{s:o}", "keys", array);
    return USER_FAILURE_NONE;
}

void api_key_list_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, list);
}

typedef struct CreateBody {
    const char *name;
    const char *scopes; /* separated by blanks, as RFC 6749 3.3 has them; "" for all */
    uint64_t expires;   /* seconds since 1970; 0: never */
} CreateBody;

static const JsonField create_fields[] = {
    {"name", JSON_FIELD_STR, offsetof(CreateBody, name), true, .max = API_KEY_NAME_MAX},
    {"scope", JSON_FIELD_STR, offsetof(CreateBody, scopes), .max = 200},
    {"expires", JSON_FIELD_U64, offsetof(CreateBody, expires), .min = 1, .max = 253402300799.0},
    {0},
};

static bool read_scopes(const char *text, uint32_t *ret_scopes) {
    Str rest = str_from(text), word;
    uint32_t scopes = 0;

    if (text[0] == '\0') {
        *ret_scopes = ACCESS_SCOPES_ALL;
        return true;
    }
    while (str_next_token(&rest, " ", &word)) {
        size_t i = 0;
        while (api_key_scope_names[i] && !str_equal(word, str_from(api_key_scope_names[i]))) {
            i++;
        }
        if (!api_key_scope_names[i]) {
            return false;
        }
        scopes |= 1u << i;
    }
    *ret_scopes = scopes;
    return true;
}

static int note(DbTx *tx, UserCall *call, const UserKey *key, const char *action,
                const Uuid *key_id) {
    char *id = arena_alloc(call->arena, UUID_TEXT_SIZE);
    AuditEvent event = user_call_event(call, action, id);

    uuid_text(key_id, id);
    return audit_append(tx, call->service->vault, key, call->now_us, call->arena, &event);
}

static int add_key(DbTx *tx, void *userdata) {
    Keys *keys = userdata;
    UserCall *call = keys->call;
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    if (r != 0) {
        return r < 0 ? err_trace(r) : API_KEY_E_NONE;
    }
    r = api_key_store_add(tx, &account.key, call->arena, &keys->key);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    return err_trace(note(tx, call, &account.key, "api_key.created", &keys->key.key_id));
}

static UserFailure read_create(UserCall *call, ApiKey *key) {
    CreateBody body = {.scopes = ""};
    UserFailure failure = user_call_read(call, create_fields, &body);

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (body.name[0] == '\0' || !text_is_plain(body.name, API_KEY_NAME_MAX)) {
        call->detail = "name: empty, or has characters that cannot be seen.";
    } else if (!read_scopes(body.scopes, &key->scopes)) {
        call->detail = "scope: words separated by one blank; there are images and account.";
    } else if (body.expires != 0 && (int64_t)body.expires * 1000000 <= call->now_us) {
        call->detail = "expires: seconds since 1970, in the future.";
    } else {
        key->name = body.name;
        key->expires_us = (int64_t)body.expires * 1000000;
        return USER_FAILURE_NONE;
    }
    return USER_FAILURE_INVALID_FIELD;
}

static UserFailure create(UserCall *call, json_t **ret_body) {
    Keys keys = {.call = call,
                 .key = {.user_id = call->session.user_id, .created_us = call->now_us}};
    UserFailure failure = read_create(call, &keys.key);
    char text[API_KEY_TEXT_LEN + 1];
    int r;

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    api_key_new(&keys.key, call->arena, text);
    r = db_write(call->service->options.db, add_key, &keys, read_token_noted(call));
    if (r == 0) {
        *ret_body = key_json(&keys.key);
        json_object_set_new(*ret_body, "key", json_string(text));
        call->status = 201;
    }
    secret_wipe(text, sizeof(text));
    if (r == API_KEY_E_FULL) {
        call->detail = "There are 100 keys already; revoke one that is not used.";
        return USER_FAILURE_CONFLICT;
    }
    if (r < 0) {
        return user_call_fault(call, r);
    }
    return r == 0 ? USER_FAILURE_NONE : USER_FAILURE_SIGNED_OUT;
}

void api_key_create_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, create);
}

static int remove_key(DbTx *tx, void *userdata) {
    Keys *keys = userdata;
    UserCall *call = keys->call;
    _cleanup_(account_done) Account account = {0};
    int r = api_key_store_remove(tx, &keys->key.user_id, &keys->key.key_id);

    if (r == 0) {
        r = account_store_get(tx, call->service->vault, &keys->key.user_id, call->arena, &account);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : API_KEY_E_NONE;
    }
    return err_trace(note(tx, call, &account.key, "api_key.revoked", &keys->key.key_id));
}

static UserFailure revoke(UserCall *call, json_t **ret_body) {
    Keys keys = {.call = call, .key.user_id = call->session.user_id};
    const char *id = http_request_param(call->request, "id");
    int r;

    *ret_body = NULL;
    if (uuid_parse(str_from(id), &keys.key.key_id) < 0) {
        return USER_FAILURE_NOT_FOUND;
    }
    r = db_write(call->service->options.db, remove_key, &keys, read_token_noted(call));
    /* Also when it is not known whether it is gone. */
    if (r <= 0) {
        user_access_forget(call->service, &keys.key.user_id, &keys.key.key_id, 1);
    }
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_NOT_FOUND;
    }
    return USER_FAILURE_NONE;
}

void api_key_remove_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, revoke);
}
