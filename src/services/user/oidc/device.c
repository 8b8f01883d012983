/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The device authorization grant (RFC 8628): a program without a browser gets two codes, shows one
 * to somebody, and they type it on our page in a browser of theirs, where they see what asks for
 * what from where. The codes are looked up for people who are signed in only, and only so many
 * times an hour, so that nobody finds one by trying.
 */

#include "base/crypto/base64url.h"
#include "base/crypto/random.h"
#include "base/error.h"
#include "services/user/attempts.h"
#include "services/user/mails.h"
#include "services/user/oidc/pages.h"
#include "services/user/read_token.h"
#include "services/user/sessions.h"

typedef struct Device {
    UserCall *call;
    DeviceRequest request;
    const OauthClient *client;
    /* Transactions'. */
    bool allow, gone;
    const char *email;
} Device;

static int add(DbTx *tx, void *userdata) {
    Device *device = userdata;
    UserCall *call = device->call;

    return device_store_add(tx, vault_service_key(call->service->vault), call->arena,
                            &device->request);
}

static bool read_scope(Device *device, const Form *form) {
    UserCall *call = device->call;
    const char *scope = oidc_field(call, form, "scope");
    int r = scopes_parse(scope ? str_from(scope) : str_lit("openid"), &device->request.scopes);

    if (r < 0 || device->request.scopes & ~device->client->scopes) {
        oidc_respond_error(call, 400, "invalid_scope", NULL);
        return false;
    }
    return true;
}

/* So that nobody fills the table. */
static bool take_turn(UserCall *call) {
    UserFailure failure = attempts_take_device(call);
    const HttpHeader headers[] = {
        {"Retry-After", arena_printf(call->arena, "%u", call->retry_after_s)}, {0}};
    _cleanup_(json_decrefp) json_t *body = json_pack(
        "{s:s,s:s}", "error", "slow_down", "error_description", "Please try again later.");

    if (failure != USER_FAILURE_NONE) {
        oidc_respond_json(call, 429, body, headers);
    }
    return failure == USER_FAILURE_NONE;
}

static void answer_codes(Device *device, const char *device_code, const char *user_code) {
    UserCall *call = device->call;
    const char *url = call->service->public_url;
    int64_t life_us = device->request.expires_us - device->request.created_us;
    char shown[USER_CODE_SHOWN_SIZE];
    _cleanup_(json_decrefp) json_t *body = NULL;

    user_code_show(user_code, shown);
    body = json_pack(
        "{s:s,s:s,s:o,s:o,s:I,s:I}", "device_code", device_code, "user_code", shown,
        "verification_uri", json_sprintf("%s/oauth/device", url), "verification_uri_complete",
        json_sprintf("%s/oauth/device?user_code=%s", url, shown), "expires_in",
        (json_int_t)(life_us / 1000000), "interval", (json_int_t)device->request.interval_s);
    oidc_respond_json(call, 200, body, NULL);
}

void oidc_device_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    const UserSettings *settings = call.service->options.settings;
    Device device = {.call = &call};
    SessionDevice origin = user_call_device(&call, "");
    _cleanup_(buf_done) Buf code = BUF_INIT;
    char user_code[USER_CODE_LEN + 1];
    uint8_t bytes[32];
    Form form;
    int r;

    if (!oidc_form(&call, &form) || !(device.client = oidc_client(&call, &form))) {
        return;
    }
    if (!device.client->device_grant) {
        oidc_respond_error(&call, 400, "unauthorized_client", NULL);
        return;
    }
    if (!read_scope(&device, &form) || !take_turn(&call)) {
        return;
    }
    random_bytes(bytes, sizeof(bytes));
    base64url_encode((Str){(const char *)bytes, sizeof(bytes)}, &code);
    user_code_new(user_code);
    device.request.client_id = device.client->id;
    device.request.address = origin.address;
    device.request.agent = origin.agent;
    device.request.interval_s = (int64_t)settings->device_poll_s;
    device.request.created_us = call.now_us;
    device.request.expires_us = call.now_us + (int64_t)settings->device_code_s * 1000000;
    digest_sha256(buf_str(&code), device.request.device_hash);
    user_code_hash(vault_service_key(call.service->vault), user_code,
                   device.request.user_code_hash);
    r = db_write(call.service->options.db, add, &device, NULL);
    if (r != 0) {
        oidc_respond_fault(&call, r < 0 ? r : -EIO);
        return;
    }
    answer_codes(&device, buf_cstr(&code), user_code);
}

static void refuse_fault(UserCall *call, int r) {
    page_message(call, user_failure_info(user_call_fault(call, r))->status,
                 "Please try again in a moment", "Something is out of order here.");
}

static int find(DbTx *tx, void *userdata) {
    Device *device = userdata;
    UserCall *call = device->call;
    _cleanup_(account_done) Account account = {0};
    uint8_t hash[DIGEST_LEN];
    int r;

    memcpy(hash, device->request.user_code_hash, sizeof(hash));
    r = account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);
    device->gone = r > 0 || account.status != ACCOUNT_ACTIVE;
    device->email = account.email;
    if (r == 0) {
        r = device_store_find(tx, vault_service_key(call->service->vault), hash, call->arena,
                              &device->request);
    }
    device->gone = device->gone || r > 0 || device->request.state != DEVICE_UNDECIDED ||
                   device->request.expires_us <= call->now_us;
    return r < 0 ? err_trace(r) : 0;
}

static bool may_try(UserCall *call) {
    UserFailure failure = attempts_take_user_code(call);

    if (failure != USER_FAILURE_NONE) {
        page_device_code(call, 429,
                         arena_printf(call->arena, "That were many codes. %s", call->detail));
    }
    return failure == USER_FAILURE_NONE;
}

/* Somebody is signed in. */
static void show(UserCall *call, const char *typed) {
    Device device = {.call = call};
    char code[USER_CODE_LEN + 1], shown[USER_CODE_SHOWN_SIZE];
    int r;

    if (!typed || typed[0] == '\0') {
        page_device_code(call, 200, NULL);
        return;
    }
    if (user_code_normalise(str_from(typed), code) < 0) {
        page_device_code(call, 400, "That is no code: one has eight letters, such as WDJB-MJHT.");
        return;
    }
    if (!may_try(call)) {
        return;
    }
    user_code_hash(vault_service_key(call->service->vault), code, device.request.user_code_hash);
    r = db_read(call->service->options.db, NULL, find, &device);
    if (r == 0 && !device.gone) {
        r = oidc_find_client(call, str_from(device.request.client_id), &device.client);
    }
    if (r != 0) {
        refuse_fault(call, r < 0 ? r : -EIO);
        return;
    }
    if (device.gone || !device.client) {
        page_device_code(call, 404,
                         "Nothing waits for that code. It may be too old: start again on the "
                         "device.");
        return;
    }
    user_code_show(code, shown);
    page_device_consent(call, device.client, &device.request, shown, device.email);
}

#define REQUEST_PREFIX "user_code="
#define TYPED_LEN_MAX  20

/* `request`: REQUEST_PREFIX and what was typed. */
static SignInPage sign_in_page(UserCall *call, const char *request) {
    Buf query = BUF_INIT;
    SignInPage page = {.request = request};

    oidc_add_param(&query, "user_code", request + strlen(REQUEST_PREFIX));
    page.back = arena_printf(call->arena, "/oauth/device?%s", buf_cstr(&query));
    buf_done(&query);
    return page;
}

void oidc_device_page_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    const char *typed = http_request_query(request, "user_code");
    UserFailure failure = sessions_authenticate_cookie(&call);

    if (http_request_query_count(request, "user_code") > 1 ||
        (typed && strlen(typed) > TYPED_LEN_MAX)) {
        page_message(&call, 400, "This link does not work", "It is not what it should be.");
    } else if (failure == USER_FAILURE_NONE) {
        show(&call, typed);
    } else if (failure != USER_FAILURE_SIGNED_OUT) {
        page_message(&call, user_failure_info(failure)->status, "Please try again in a moment",
                     "Something is out of order here.");
    } else {
        const SignInPage page =
            sign_in_page(&call, arena_printf(call.arena, REQUEST_PREFIX "%s", typed ? typed : ""));
        page_sign_in(&call, 200, &page);
    }
}

static void refuse_form(UserCall *call) {
    page_message(call, 403, "Please start again",
                 "This form was not shown by us to this browser, or it is too old.");
}

void oidc_device_sign_in_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    SignInPage page = {0};
    Form form;

    if (!oidc_form(&call, &form)) {
        return;
    }
    page.request = oidc_field(&call, &form, "request");
    if (!page.request || !page_form_is_ours(&call, &form, PAGE_SIGN_IN_PURPOSE(&page),
                                            str_from(page_browser(&call)), page.request)) {
        refuse_form(&call);
        return;
    }
    page = sign_in_page(&call, page.request); /* ours, so it has the prefix */
    if (page_sign_in_read(&call, &form, page)) {
        show(&call, page.request + strlen(REQUEST_PREFIX));
    }
}

static int allow(DbTx *tx, Device *device, const Account *account) {
    UserCall *call = device->call;
    DeviceRequest *request = &device->request;
    Grant grant = {.session_id = call->session.session_id,
                   .client_id = request->client_id,
                   .scopes = request->scopes,
                   .methods = call->session.methods,
                   .redirect_uri = "",
                   .challenge = "",
                   .authenticated_us = call->session.authenticated_us,
                   .created_us = call->now_us,
                   .expires_us = request->expires_us};
    int r = grant_store_add(tx, &account->key, call->arena, &grant);

    explicit_bzero(grant.secret, sizeof(grant.secret));
    request->grant_id = grant.grant_id;
    return r < 0 ? err_trace(r) : 0;
}

static int decide(DbTx *tx, void *userdata) {
    Device *device = userdata;
    UserCall *call = device->call;
    DeviceRequest *request = &device->request;
    _cleanup_(account_done) Account account = {0};
    uint8_t hash[DIGEST_LEN];
    AuditEvent event;
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    device->gone = r > 0 || account.status != ACCOUNT_ACTIVE;
    if (r != 0 || device->gone) {
        return r < 0 ? err_trace(r) : 0;
    }
    memcpy(hash, request->device_hash, sizeof(hash));
    r = device_store_get(tx, vault_service_key(call->service->vault), hash, call->arena, request);
    device->gone =
        r > 0 || request->state != DEVICE_UNDECIDED || request->expires_us <= call->now_us;
    if (r != 0 || device->gone) {
        return r < 0 ? err_trace(r) : 0;
    }
    event = user_call_event(call, device->allow ? "client.authorized" : "client.denied",
                            request->client_id);
    device->email = account.email;
    request->user_id = call->session.user_id;
    request->state = device->allow ? DEVICE_ALLOWED : DEVICE_DENIED;
    if ((device->allow && (r = allow(tx, device, &account)) < 0) ||
        (r = device_store_put(tx, request)) < 0 ||
        (r = audit_append(tx, call->service->vault, &account.key, call->now_us, call->arena,
                          &event)) < 0) {
        return err_trace(r);
    }
    return 0;
}

void oidc_device_decide_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    Device device = {.call = &call};
    const char *id, *decision;
    Str binding = {0};
    Form form;
    int r;

    if (!oidc_form(&call, &form)) {
        return;
    }
    if (sessions_authenticate_cookie(&call) == USER_FAILURE_NONE) {
        binding = (Str){(const char *)call.session.secret_hash, VAULT_HASH_LEN};
    }
    id = oidc_field(&call, &form, "request");
    if (!id || !page_form_is_ours(&call, &form, "device", binding, id) ||
        base64url_decode_fixed(str_from(id), device.request.device_hash, DIGEST_LEN) < 0) {
        refuse_form(&call);
        return;
    }
    decision = oidc_field(&call, &form, "decision");
    device.allow = decision && strcmp(decision, "allow") == 0;
    r = db_write(call.service->options.db, decide, &device, read_token_noted(&call));
    read_token_keep(&call, USER_FAILURE_NONE);
    if (r != 0) {
        refuse_fault(&call, r < 0 ? r : -EIO);
        return;
    }
    if (device.gone) {
        page_device_code(&call, 404,
                         "Nothing waits for that code any more. Start again on the "
                         "device.");
        return;
    }
    if (device.allow) {
        mails_notice(call.service, MAIL_NOTICE_DEVICE_ALLOWED, device.email);
    }
    page_message(&call, 200, device.allow ? "The device is connected" : "Denied",
                 device.allow ? "It goes on by itself within seconds. You may close this page."
                              : "It gets no access. You may close this page.");
}
