/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The authorization endpoint (OpenID Connect Core 3.1.2, RFC 6749 4.1): who it is, whether they
 * allow it, and back to the client with a code. Until client and redirect URI are known to belong
 * together an error is a page; from then on it goes back to the client.
 */

#include "base/error.h"
#include "services/user/oidc/pages.h"
#include "services/user/passkey/part.h"
#include "services/user/read_token.h"
#include "services/user/sessions.h"

#define REQUEST_LEN_MAX 4000

enum {
    PROMPT_NONE = 1 << 0,
    PROMPT_LOGIN = 1 << 1,
    PROMPT_CONSENT = 1 << 2,
};

typedef struct Authorize {
    UserCall *call;
    const char *request; /* as a query, in one form */
    const OauthClient *client;
    const char *redirect_uri, *state, *nonce, *challenge, *login_hint;
    uint32_t scopes;
    unsigned prompt;
    int64_t max_age_s; /* -1: any */
    /* Transactions'. */
    bool allowed; /* just now, on the page */
    uint32_t consented;
    const char *email;
    bool gone; /* no such account any more, or locked */
    Grant grant;
} Authorize;

static const char *const names[] = {
    "response_type", "client_id",     "redirect_uri",          "scope",    "state",
    "nonce",         "response_mode", "code_challenge",        "prompt",   "max_age",
    "login_hint",    "request",       "code_challenge_method", "resource", "request_uri",
    "registration",
};

static void respond_redirect(Authorize *authorize, Buf *params) {
    UserCall *call = authorize->call;
    const HttpHeader cookie[] = {{"Set-Cookie", call->set_cookie}, {0}};
    const char *uri = authorize->redirect_uri;

    if (authorize->state) {
        oidc_add_param(params, "state", authorize->state);
    }
    oidc_add_param(params, "iss", call->service->public_url); /* RFC 9207 */
    http_respond_see_other(
        call->request,
        arena_printf(call->arena, "%s%s%s", uri, strchr(uri, '?') ? "&" : "?", buf_cstr(params)),
        call->set_cookie ? cookie : NULL);
}

static bool redirect_error(Authorize *authorize, const char *error, const char *description) {
    _cleanup_(buf_done) Buf params = BUF_INIT;

    oidc_add_param(&params, "error", error);
    if (description) {
        oidc_add_param(&params, "error_description", description);
    }
    respond_redirect(authorize, &params);
    return false;
}

static bool refuse_page(Authorize *authorize, const char *text) {
    page_message(authorize->call, 400, "This link does not work", text);
    return false;
}

/* The request that was sent, in one form. False: it was answered. */
static bool read_query(Authorize *authorize) {
    UserCall *call = authorize->call;
    Buf query = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = http_request_query(call->request, names[i]);
        size_t count = http_request_query_count(call->request, names[i]);
        if (count > 1) {
            buf_done(&query);
            return refuse_page(authorize, "A parameter is there twice.");
        }
        if (value && value[0]) {
            oidc_add_param(&query, names[i], value);
        }
    }
    authorize->request = arena_strdup(call->arena, buf_str(&query));
    buf_done(&query);
    return true;
}

static bool read_client(Authorize *authorize, const Form *form) {
    UserCall *call = authorize->call;
    const char *id = oidc_field(call, form, "client_id");
    const char *uri = oidc_field(call, form, "redirect_uri");
    int r = id ? oidc_find_client(call, str_from(id), &authorize->client) : 0;

    if (r < 0) {
        page_message(call, user_failure_info(user_call_fault(call, r))->status,
                     "Please try again in a moment", "Something is out of order here.");
        return false;
    }
    if (!authorize->client) {
        return refuse_page(authorize, "The program that sent you is not known here.");
    }
    if (!uri || !oauth_uri_is_registered(authorize->client->redirect_uris, str_from(uri))) {
        return refuse_page(authorize,
                           "The program that sent you wants to go on at a place that is not its.");
    }
    authorize->redirect_uri = uri;
    return true;
}

static bool read_prompt(Authorize *authorize, const char *prompt) {
    static const char *const words[] = {"none", "login", "consent"};
    Str rest = str_from(prompt), word;

    while (prompt && str_next_token(&rest, " ", &word)) {
        size_t i = 0;
        while (i < ARRAY_LEN(words) && !str_equal(word, str_from(words[i]))) {
            i++;
        }
        if (i == ARRAY_LEN(words)) {
            return redirect_error(authorize, "invalid_request", "prompt: none, login or consent.");
        }
        authorize->prompt |= 1u << i;
    }
    if (authorize->prompt & PROMPT_NONE && authorize->prompt != PROMPT_NONE) {
        return redirect_error(authorize, "invalid_request", "prompt: none stands alone.");
    }
    return true;
}

static bool is_challenge(const char *text) {
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    return text && strlen(text) == 43 && text[strspn(text, chars)] == '\0';
}

static bool read_pkce(Authorize *authorize, const Form *form) {
    const char *method = oidc_field(authorize->call, form, "code_challenge_method");

    authorize->challenge = oidc_field(authorize->call, form, "code_challenge");
    if (!is_challenge(authorize->challenge) || !method || strcmp(method, "S256") != 0) {
        return redirect_error(authorize, "invalid_request",
                              "PKCE: send code_challenge with code_challenge_method=S256.");
    }
    return true;
}

static bool read_scope(Authorize *authorize, const Form *form) {
    const char *scope = oidc_field(authorize->call, form, "scope");

    if (!scope || scopes_parse(str_from(scope), &authorize->scopes) < 0 ||
        authorize->scopes & ~authorize->client->scopes) {
        return redirect_error(authorize, "invalid_scope", NULL);
    }
    return true;
}

static bool read_rest(Authorize *authorize, const Form *form) {
    UserCall *call = authorize->call;
    const char *type = oidc_field(call, form, "response_type");
    const char *mode = oidc_field(call, form, "response_mode");
    const char *age = oidc_field(call, form, "max_age");
    const char *resource = oidc_field(call, form, "resource");
    uint64_t max_age;

    authorize->state = oidc_field(call, form, "state");
    authorize->nonce = oidc_field(call, form, "nonce");
    authorize->login_hint = oidc_field(call, form, "login_hint");
    if (oidc_field(call, form, "request")) {
        return redirect_error(authorize, "request_not_supported", NULL);
    }
    if (oidc_field(call, form, "request_uri")) {
        return redirect_error(authorize, "request_uri_not_supported", NULL);
    }
    if (oidc_field(call, form, "registration")) {
        return redirect_error(authorize, "registration_not_supported", NULL);
    }
    if (!type) {
        return redirect_error(authorize, "invalid_request", "response_type: missing.");
    }
    if (strcmp(type, "code") != 0) {
        return redirect_error(authorize, "unsupported_response_type", NULL);
    }
    if (mode && strcmp(mode, "query") != 0) {
        return redirect_error(authorize, "invalid_request", "response_mode: only query.");
    }
    if (resource && strcmp(resource, call->service->public_url) != 0) {
        return redirect_error(authorize, "invalid_target", NULL);
    }
    authorize->max_age_s = -1;
    if (age) {
        if (str_to_u64(str_from(age), &max_age) < 0 || max_age > INT32_MAX) {
            return redirect_error(authorize, "invalid_request", "max_age: seconds.");
        }
        authorize->max_age_s = (int64_t)max_age;
    }
    return read_prompt(authorize, oidc_field(call, form, "prompt")) &&
           read_scope(authorize, form) && read_pkce(authorize, form);
}

/* From authorize->request; false: it was answered. */
static bool read_request(Authorize *authorize) {
    UserCall *call = authorize->call;
    const char *detail;
    Form form;

    if (strlen(authorize->request) > REQUEST_LEN_MAX ||
        form_parse("application/x-www-form-urlencoded", str_from(authorize->request), call->arena,
                   &form, &detail) != 0) {
        return refuse_page(authorize, "It is too long, or is not what it should be.");
    }
    return read_client(authorize, &form) && read_rest(authorize, &form);
}

/* The request once more, for whoever comes back signed in by another issuer: the proof that
 * prompt=login asks for has been given then. */
static const char *request_after_sign_in(Authorize *authorize) {
    UserCall *call = authorize->call;
    Buf query = BUF_INIT;
    const char *path, *detail;
    Form form;

    if (form_parse("application/x-www-form-urlencoded", str_from(authorize->request), call->arena,
                   &form, &detail) != 0) {
        return "";
    }
    for (size_t i = 0; i < form.n_fields; i++) {
        const char *value = arena_strdup(call->arena, form.fields[i].value);
        if (strcmp(form.fields[i].name, "prompt") != 0) {
            oidc_add_param(&query, form.fields[i].name, value);
        } else if (authorize->prompt & PROMPT_CONSENT) {
            oidc_add_param(&query, "prompt", "consent");
        }
    }
    path = arena_printf(call->arena, "/oauth/authorize?%s", buf_cstr(&query));
    buf_done(&query);
    return path;
}

static SignInPage sign_in_page(Authorize *authorize) {
    return (SignInPage){.client_name = authorize->client->name,
                        .redirect_uri = authorize->redirect_uri,
                        .request = authorize->request,
                        .email = authorize->login_hint,
                        .back = request_after_sign_in(authorize),
                        .fresh = (authorize->prompt & PROMPT_LOGIN) || authorize->max_age_s >= 0};
}

static int load(DbTx *tx, void *userdata) {
    Authorize *authorize = userdata;
    UserCall *call = authorize->call;
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    authorize->gone = r > 0 || account.status != ACCOUNT_ACTIVE;
    if (r != 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    authorize->email = account.email;
    r = consent_store_get(tx, &call->session.user_id, authorize->client->id, call->arena,
                          &authorize->consented);
    return r < 0 ? err_trace(r) : 0;
}

static int give_code(DbTx *tx, void *userdata) {
    Authorize *authorize = userdata;
    UserCall *call = authorize->call;
    const OauthClient *client = authorize->client;
    AuditEvent event = user_call_event(call, "client.authorized", client->id);
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    authorize->gone = r > 0 || account.status != ACCOUNT_ACTIVE;
    if (r != 0 || authorize->gone) {
        return r < 0 ? err_trace(r) : 0;
    }
    authorize->grant = (Grant){.session_id = call->session.session_id,
                               .client_id = client->id,
                               .scopes = authorize->scopes,
                               .methods = call->session.methods,
                               .redirect_uri = authorize->redirect_uri,
                               .challenge = authorize->challenge,
                               .nonce = authorize->nonce,
                               .authenticated_us = call->session.authenticated_us,
                               .created_us = call->now_us,
                               .expires_us = call->now_us + OIDC_CODE_LIFE_S * 1000000LL};
    r = grant_store_add(tx, &account.key, call->arena, &authorize->grant);
    if (r == 0 && authorize->allowed && client->remembers) {
        r = consent_store_put(tx, &account.key.user_id, client->id,
                              authorize->scopes | authorize->consented, call->now_us);
    }
    if (r == 0) {
        r = audit_append(tx, call->service->vault, &account.key, call->now_us, call->arena, &event);
    }
    return r < 0 ? err_trace(r) : 0;
}

static void respond_fault(Authorize *authorize, int r) {
    UserFailure failure = user_call_fault(authorize->call, r);

    redirect_error(authorize,
                   failure == USER_FAILURE_UNAVAILABLE ? "temporarily_unavailable" : "server_error",
                   NULL);
}

static void answer_code(Authorize *authorize) {
    _cleanup_(buf_done) Buf params = BUF_INIT;
    char code[GRANT_CREDENTIAL_LEN + 1];
    int r = db_write(authorize->call->service->options.db, give_code, authorize,
                     read_token_noted(authorize->call));

    if (r != 0) {
        respond_fault(authorize, r < 0 ? r : -EIO);
        return;
    }
    read_token_keep(authorize->call, USER_FAILURE_NONE);
    if (authorize->gone) {
        redirect_error(authorize, "access_denied", NULL);
        return;
    }
    grant_credential(&authorize->grant, GRANT_CODE, code);
    oidc_add_param(&params, "code", code);
    respond_redirect(authorize, &params);
}

/* Somebody is signed in, as recently as it takes. */
static void go_on(Authorize *authorize) {
    UserCall *call = authorize->call;
    const OauthClient *client = authorize->client;
    int r = db_read(call->service->options.db, NULL, load, authorize);

    if (r != 0) {
        respond_fault(authorize, r < 0 ? r : -EIO);
        return;
    }
    if (authorize->gone) {
        redirect_error(authorize, "access_denied", NULL);
        return;
    }
    if (!(authorize->prompt & PROMPT_CONSENT) &&
        (client->trusted || (client->remembers && !(authorize->scopes & ~authorize->consented)))) {
        answer_code(authorize);
    } else if (authorize->prompt & PROMPT_NONE) {
        redirect_error(authorize, "consent_required", NULL);
    } else {
        page_consent(call, client, authorize->redirect_uri, authorize->scopes, authorize->email,
                     authorize->request);
    }
}

static bool is_recent(const Authorize *authorize) {
    const UserCall *call = authorize->call;

    return authorize->max_age_s < 0 ||
           call->now_us - call->session.authenticated_us <= authorize->max_age_s * 1000000;
}

void oidc_authorize_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    Authorize authorize = {.call = &call};
    UserFailure failure;

    if (!read_query(&authorize) || !read_request(&authorize)) {
        return;
    }
    failure = sessions_authenticate_cookie(&call);
    if (failure != USER_FAILURE_NONE && failure != USER_FAILURE_SIGNED_OUT) {
        redirect_error(&authorize, "temporarily_unavailable", NULL);
    } else if (failure == USER_FAILURE_NONE && !(authorize.prompt & PROMPT_LOGIN) &&
               is_recent(&authorize)) {
        go_on(&authorize);
    } else if (authorize.prompt & PROMPT_NONE) {
        redirect_error(&authorize, "login_required", NULL);
    } else {
        const SignInPage page = sign_in_page(&authorize);
        page_sign_in(&call, 200, &page);
    }
}

/* A request may come as a form too (OpenID Connect Core 3.1.2.1): it is read as a link, so that the
 * browser sends its cookie along, which it does not with another site's form. */
void oidc_authorize_post_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    _cleanup_(buf_done) Buf query = BUF_INIT;
    Form form;

    if (!oidc_form(&call, &form)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = oidc_field(&call, &form, names[i]);
        if (value) {
            oidc_add_param(&query, names[i], value);
        }
    }
    http_respond_see_other(request,
                           arena_printf(call.arena, "/oauth/authorize?%s", buf_cstr(&query)), NULL);
}

/* A form of ours came back: its request is the one that was shown. */
static bool read_form(Authorize *authorize, const char *purpose, Str binding, const Form *form) {
    authorize->request = oidc_field(authorize->call, form, "request");
    if (!authorize->request ||
        !page_form_is_ours(authorize->call, form, purpose, binding, authorize->request)) {
        page_message(authorize->call, 403, "Please start again",
                     "This form was not shown by us to this browser, or it is too old. Go back to "
                     "the program that you came from.");
        return false;
    }
    return read_request(authorize);
}

void oidc_sign_in_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    Authorize authorize = {.call = &call};
    Form form;

    if (oidc_form(&call, &form) &&
        read_form(&authorize, "sign-in", str_from(page_browser(&call)), &form) &&
        page_sign_in_read(&call, &form, sign_in_page(&authorize))) {
        go_on(&authorize);
    }
}

void oidc_consent_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    Authorize authorize = {.call = &call};
    const char *decision;
    Str binding = {0};
    Form form;
    int r;

    if (!oidc_form(&call, &form)) {
        return;
    }
    if (sessions_authenticate_cookie(&call) == USER_FAILURE_NONE) {
        binding = (Str){(const char *)call.session.secret_hash, VAULT_HASH_LEN};
    }
    if (!read_form(&authorize, "consent", binding, &form)) {
        return;
    }
    decision = oidc_field(&call, &form, "decision");
    if (!decision || strcmp(decision, "allow") != 0) {
        redirect_error(&authorize, "access_denied", NULL);
        return;
    }
    r = db_read(call.service->options.db, NULL, load, &authorize);
    if (r != 0) {
        respond_fault(&authorize, r < 0 ? r : -EIO);
        return;
    }
    authorize.allowed = true;
    answer_code(&authorize);
}
