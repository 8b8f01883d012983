/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OAuth clients as admins keep them: what the configuration's file says of one, without its secret,
 * which is made here and shown once. Those of the file are listed and can only be changed there.
 */

#include "base/crypto/base64url.h"
#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/error.h"
#include "services/user/oidc/client_store.h"
#include "services/user/oidc/oidc.h"
#include "services/user/read_token.h"
#include "services/user/roles.h"
#include "services/user/text.h"

#define SECRET_LEN  32
#define NAME_LEN    100
#define SECRET_SIZE 44 /* base64url of it, and NUL */

typedef struct Work {
    UserCall *call;
    StoredClient client;
    StoredClient *all;
    size_t n;
    const char *action;
} Work;

/* Nothing that a secret could be guessed from; `stored` NULL: it is of the configuration. */
static json_t *client_json(const OauthClient *client, const StoredClient *stored) {
    json_t *json = oauth_client_write(client);

    json_object_del(json, "secret_sha256");
    json_object_set_new(json, "confidential", json_boolean(client->confidential));
    json_object_set_new(json, "source", json_string(stored ? "admin" : "configuration"));
    if (stored) {
        json_object_set_new(json, "created", json_integer(stored->created_us / 1000000));
        json_object_set_new(json, "changed", json_integer(stored->changed_us / 1000000));
    }
    return json;
}

static UserFailure explain(UserCall *call, int r) {
    switch (r) {
    case CLIENT_STORE_E_NONE:
        return USER_FAILURE_NOT_FOUND;
    case CLIENT_STORE_E_EXISTS:
        call->detail = "There is a client of that id.";
        return USER_FAILURE_CONFLICT;
    case CLIENT_STORE_E_FULL:
        call->detail = "There are as many clients as there can be.";
        return USER_FAILURE_CONFLICT;
    case CLIENT_STORE_E_STALE:
        return USER_FAILURE_STALE_VERSION;
    default:
        return user_call_fault(call, r < 0 ? r : -EIO);
    }
}

static int note(DbTx *tx, Work *work) {
    UserCall *call = work->call;
    AuditEvent event = user_call_event(call, work->action, work->client.client.id);
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    if (r == 0) {
        r = audit_append(tx, call->service->vault, &account.key, call->now_us, call->arena, &event);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int load_all(DbTx *tx, void *userdata) {
    Work *work = userdata;

    return client_store_list(tx, work->call->arena, &work->all, &work->n);
}

static UserFailure list(UserCall *call, json_t **ret_body) {
    UserFailure failure = roles_require(call, ACCOUNT_ROLE_ADMIN);
    const OauthClients *configured = call->service->oidc->clients;
    Work work = {.call = call};
    json_t *array;
    int r;

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    r = db_read(call->service->options.db, NULL, load_all, &work);
    if (r != 0) {
        return explain(call, r);
    }
    array = json_array();
    for (size_t i = 0; oauth_clients_at(configured, i); i++) {
        json_array_append_new(array, client_json(oauth_clients_at(configured, i), NULL));
    }
    for (size_t i = 0; i < work.n; i++) {
        json_array_append_new(array, client_json(&work.all[i].client, &work.all[i]));
    }
    *ret_body = json_pack("{s:o}", "clients", array);
    return USER_FAILURE_NONE;
}

void admin_client_list_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, list);
}

static int load(DbTx *tx, void *userdata) {
    Work *work = userdata;
    const char *id = http_request_param(work->call->request, "id");

    return client_store_get(tx, str_from(id), work->call->arena, &work->client);
}

static UserFailure get(UserCall *call, json_t **ret_body) {
    UserFailure failure = roles_require(call, ACCOUNT_ROLE_ADMIN);
    Str id = str_from(http_request_param(call->request, "id"));
    const OauthClient *configured = oauth_clients_find(call->service->oidc->clients, id);
    Work work = {.call = call};
    int r;

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (configured) {
        *ret_body = client_json(configured, NULL);
        return USER_FAILURE_NONE;
    }
    r = db_read(call->service->options.db, NULL, load, &work);
    if (r != 0) {
        return explain(call, r);
    }
    call->version = work.client.version;
    *ret_body = client_json(&work.client.client, &work.client);
    return USER_FAILURE_NONE;
}

void admin_client_get_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, get);
}

/* Of the configuration: not to be changed here, nor to be hidden by one of that id. */
static UserFailure refuse_configured(UserCall *call, const char *id) {
    if (!oauth_clients_find(call->service->oidc->clients, str_from(id))) {
        return USER_FAILURE_NONE;
    }
    call->detail = "That client is of the server's configuration.";
    return USER_FAILURE_CONFLICT;
}

static UserFailure refuse_member(UserCall *call, const char *name) {
    /* A parser's words may have been cut in the middle of a character. */
    call->detail = arena_printf(call->arena, "%s: not as it has to be.",
                                str_is_utf8(str_from(name)) ? name : "body");
    return USER_FAILURE_INVALID_FIELD;
}

/* What is sent of a client; the hash of its secret is nothing that anybody may send. */
static UserFailure read_client(UserCall *call, json_t *json, OauthClient *ret_client) {
    const char *where;

    if (json_object_get(json, "secret_sha256")) {
        return refuse_member(call, "secret_sha256");
    }
    where = oauth_client_read(json, call->arena, ret_client);
    if (!where && !text_is_plain(ret_client->name, NAME_LEN)) {
        where = "name";
    }
    return where ? refuse_member(call, where) : USER_FAILURE_NONE;
}

static void make_secret(OauthClient *client, char ret_secret[SECRET_SIZE]) {
    Buf text = BUF_INIT;
    uint8_t bytes[SECRET_LEN];

    random_bytes(bytes, sizeof(bytes));
    buf_reserve(&text, SECRET_SIZE);
    base64url_encode((Str){(const char *)bytes, sizeof(bytes)}, &text);
    memcpy(ret_secret, text.data, SECRET_SIZE);
    client->confidential = true;
    digest_sha256(buf_str(&text), client->secret_hash);
    secret_wipe(bytes, sizeof(bytes));
    secret_wipe(text.data, text.len);
    buf_done(&text);
}

/* Of a write that was done. */
static void answer(Work *work, const char *secret, json_t **ret_body) {
    work->call->version = work->client.version;
    *ret_body = client_json(&work->client.client, &work->client);
    if (secret) {
        json_object_set_new(*ret_body, "secret", json_string(secret));
    }
}

static int add(DbTx *tx, void *userdata) {
    Work *work = userdata;
    int r = client_store_add(tx, work->call->arena, work->call->now_us, &work->client);

    return r == 0 ? note(tx, work) : r;
}

static UserFailure create(UserCall *call, json_t **ret_body) {
    UserFailure failure = roles_require(call, ACCOUNT_ROLE_ADMIN);
    _cleanup_(json_decrefp) json_t *json = NULL;
    Work work = {.call = call, .action = "client.created"};
    char secret[SECRET_SIZE];
    const json_t *member;
    bool confidential;
    int r;

    if (failure != USER_FAILURE_NONE ||
        (failure = user_call_json(call, &json)) != USER_FAILURE_NONE) {
        return failure;
    }
    member = json_object_get(json, "confidential");
    if (member && !json_is_boolean(member)) {
        return refuse_member(call, "confidential");
    }
    confidential = json_is_true(member);
    json_object_del(json, "confidential");
    if ((failure = read_client(call, json, &work.client.client)) != USER_FAILURE_NONE ||
        (failure = refuse_configured(call, work.client.client.id)) != USER_FAILURE_NONE) {
        return failure;
    }
    if (confidential) {
        make_secret(&work.client.client, secret);
    }
    r = db_write(call->service->options.db, add, &work, read_token_noted(call));
    if (r != 0) {
        return explain(call, r);
    }
    call->status = 201;
    answer(&work, confidential ? secret : NULL, ret_body);
    return USER_FAILURE_NONE;
}

void admin_client_create_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, create);
}

/* work->client.client is what shall be there; the secret stays. */
static int put(DbTx *tx, void *userdata) {
    Work *work = userdata;
    UserCall *call = work->call;
    StoredClient before;
    int r = client_store_get(tx, str_from(work->client.client.id), call->arena, &before);

    if (r != 0) {
        return r;
    }
    if (before.version != work->client.version) {
        return CLIENT_STORE_E_STALE;
    }
    work->client.created_us = before.created_us;
    work->client.client.confidential = before.client.confidential;
    memcpy(work->client.client.secret_hash, before.client.secret_hash, DIGEST_LEN);
    r = client_store_put(tx, call->arena, call->now_us, &work->client);
    return r == 0 ? note(tx, work) : r;
}

static UserFailure replace(UserCall *call, json_t **ret_body) {
    UserFailure failure = roles_require(call, ACCOUNT_ROLE_ADMIN);
    const char *id = http_request_param(call->request, "id");
    _cleanup_(json_decrefp) json_t *json = NULL;
    Work work = {.call = call, .action = "client.changed"};
    int64_t version;
    int r;

    if (failure != USER_FAILURE_NONE ||
        (failure = user_call_json(call, &json)) != USER_FAILURE_NONE ||
        (failure = refuse_configured(call, id)) != USER_FAILURE_NONE ||
        (failure = user_call_version(call, &version)) != USER_FAILURE_NONE) {
        return failure;
    }
    if (json_object_get(json, "id")) {
        return refuse_member(call, "id"); /* the address says which */
    }
    json_object_set_new(json, "id", json_string(id));
    failure = read_client(call, json, &work.client.client);
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    work.client.version = version;
    r = db_write(call->service->options.db, put, &work, read_token_noted(call));
    if (r != 0) {
        return explain(call, r);
    }
    answer(&work, NULL, ret_body);
    return USER_FAILURE_NONE;
}

void admin_client_put_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, replace);
}

typedef struct Renew {
    Work work;
    uint8_t secret_hash[DIGEST_LEN];
} Renew;

enum {
    RENEW_E_PUBLIC = 100,
};

static int renew(DbTx *tx, void *userdata) {
    Renew *renew = userdata;
    UserCall *call = renew->work.call;
    StoredClient *client = &renew->work.client;
    int r = load(tx, &renew->work);

    if (r != 0) {
        return r;
    }
    if (!client->client.confidential) {
        return RENEW_E_PUBLIC;
    }
    memcpy(client->client.secret_hash, renew->secret_hash, DIGEST_LEN);
    r = client_store_put(tx, call->arena, call->now_us, client);
    return r == 0 ? note(tx, &renew->work) : r;
}

static UserFailure renew_secret(UserCall *call, json_t **ret_body) {
    UserFailure failure = roles_require(call, ACCOUNT_ROLE_ADMIN);
    const char *id = http_request_param(call->request, "id");
    Renew work = {.work = {.call = call, .action = "client.secret_renewed"}};
    OauthClient made = {0};
    char secret[SECRET_SIZE];
    int r;

    if (failure != USER_FAILURE_NONE ||
        (failure = refuse_configured(call, id)) != USER_FAILURE_NONE) {
        return failure;
    }
    make_secret(&made, secret);
    memcpy(work.secret_hash, made.secret_hash, DIGEST_LEN);
    r = db_write(call->service->options.db, renew, &work, read_token_noted(call));
    if (r == RENEW_E_PUBLIC) {
        call->detail = "It is a public client: it has no secret.";
        return USER_FAILURE_CONFLICT;
    }
    if (r != 0) {
        return explain(call, r);
    }
    answer(&work.work, secret, ret_body);
    return USER_FAILURE_NONE;
}

void admin_client_secret_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, renew_secret);
}

static int remove_client(DbTx *tx, void *userdata) {
    Work *work = userdata;
    int r = client_store_remove(tx, work->client.client.id);

    return r == 0 ? note(tx, work) : r;
}

static UserFailure remove_it(UserCall *call, json_t **ret_body) {
    UserFailure failure = roles_require(call, ACCOUNT_ROLE_ADMIN);
    Work work = {.call = call, .action = "client.removed"};
    int r;

    *ret_body = NULL;
    work.client.client.id = http_request_param(call->request, "id");
    if (failure != USER_FAILURE_NONE ||
        (failure = refuse_configured(call, work.client.client.id)) != USER_FAILURE_NONE) {
        return failure;
    }
    r = db_write(call->service->options.db, remove_client, &work, read_token_noted(call));
    return r == 0 ? USER_FAILURE_NONE : explain(call, r);
}

void admin_client_remove_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, remove_it);
}
