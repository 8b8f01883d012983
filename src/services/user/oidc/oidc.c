/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/oidc/oidc.h"

#include "base/clock.h"
#include "base/crypto/digest.h"
#include "base/error.h"
#include "services/user/issuer/part.h"
#include "services/user/oidc/part.h"

#define FORM_MAX (16u << 10)

static void build_routes(UserOidc *oidc, Executor *password_executor) {
    static const struct {
        const char *method, *path;
        HttpHandler *handle;
        bool hashes; /* passwords */
    } routes[] = {
        {"GET", "/.well-known/openid-configuration", oidc_discovery_handle},
        {"OPTIONS", "/.well-known/openid-configuration", oidc_options_handle},
        {"GET", "/oauth/jwks", oidc_jwks_handle},
        {"OPTIONS", "/oauth/jwks", oidc_options_handle},
        {"GET", "/oauth/authorize", oidc_authorize_handle},
        {"POST", "/oauth/authorize", oidc_authorize_post_handle},
        {"POST", "/oauth/sign-in", oidc_sign_in_handle, true},
        {"POST", "/oauth/consent", oidc_consent_handle},
        {"GET", "/oauth/style.css", oidc_style_handle},
        {"POST", "/oauth/token", oidc_token_handle},
        {"OPTIONS", "/oauth/token", oidc_options_handle},
        {"GET", "/oauth/userinfo", oidc_userinfo_handle},
        {"POST", "/oauth/userinfo", oidc_userinfo_handle},
        {"OPTIONS", "/oauth/userinfo", oidc_options_handle},
        {"GET", OIDC_PICTURE_PATH, oidc_picture_handle},
        {"OPTIONS", OIDC_PICTURE_PATH, oidc_options_handle},
        {"POST", "/oauth/revoke", oidc_revoke_handle},
        {"OPTIONS", "/oauth/revoke", oidc_options_handle},
        {"POST", "/oauth/introspect", oidc_introspect_handle},
        {"GET", "/oauth/end-session", oidc_end_session_handle},
        {"POST", "/oauth/end-session", oidc_end_session_post_handle},
        {"POST", "/oauth/device-authorization", oidc_device_handle},
        {"OPTIONS", "/oauth/device-authorization", oidc_options_handle},
        {"GET", "/oauth/device", oidc_device_page_handle},
        {"POST", "/oauth/device", oidc_device_decide_handle},
        {"POST", "/oauth/device/sign-in", oidc_device_sign_in_handle, true},
        {"GET", "/oauth/issuers/{name}/start", issuer_start_handle},
        {"GET", "/oauth/issuers/{name}/callback", issuer_callback_handle},
        {"POST", "/oauth/issuers/finish", issuer_finish_handle},
    };
    _Static_assert(ARRAY_LEN(routes) < OIDC_ROUTES_MAX, "the table ends with an empty route");

    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        oidc->routes[i] = (HttpRoute){.method = routes[i].method,
                                      .path = routes[i].path,
                                      .handle = routes[i].handle,
                                      .executor = routes[i].hashes ? password_executor : NULL,
                                      .body_max = FORM_MAX,
                                      .blocks = true};
    }
}

int oidc_new(UserService *service, UserOidc **ret_oidc, const char **reterr) {
    const UserServiceOptions *options = &service->options;
    const UserKey *key = vault_service_key(service->vault);
    UserOidc *oidc = calloc(1, sizeof(*oidc));
    int r;

    if (!oidc) {
        abort();
    }
    digest_hkdf((Str){(const char *)key->bytes, VAULT_KEY_LEN}, (Str){0},
                str_lit("imagesync/oidc/pages"), oidc->page_key, sizeof(oidc->page_key));
    build_routes(oidc, options->password_executor);
    r = oauth_clients_read(options->settings->oidc_clients, options->settings->cli_client,
                           options->arena, &oidc->clients, reterr);
    if (r == 0) {
        r = signing_keys_new(options->db, service->vault, options->settings->signing_key_days,
                             clock_unix_us(), &oidc->keys);
    }
    if (r < 0) {
        oidc_free(oidc);
        return err_trace(r);
    }
    *ret_oidc = oidc;
    return 0;
}

UserOidc *oidc_free(UserOidc *oidc) {
    if (oidc) {
        access_verifier_free(oidc->verifier);
        signing_keys_free(oidc->keys);
        oauth_clients_free(oidc->clients);
        explicit_bzero(oidc->page_key, sizeof(oidc->page_key));
        free(oidc);
    }
    return NULL;
}

void oidc_set_public_url(UserService *service) {
    UserOidc *oidc = service->oidc;

    access_verifier_free(oidc->verifier);
    oidc->verifier = access_verifier_new(service->public_url, service->public_url);
    access_verifier_set_keys(oidc->verifier, signing_keys_set(oidc->keys));
}

void oidc_reload_keys(UserService *service) {
    signing_keys_reload(service->oidc->keys);
}

HttpRouteGroup oidc_group(UserService *service) {
    return (HttpRouteGroup){.prefix = "/oauth/",
                            .routes = service->oidc->routes,
                            .context = service,
                            .executor = service->options.executor};
}

UserCall oidc_call(UserService *service, HttpRequest *request) {
    UserCall call = {.service = service,
                     .request = request,
                     .arena = http_request_arena(request),
                     .now_us = clock_unix_us(),
                     .status = 200};

    /* A fault keeps the keys there were, and is in the log. */
    (void)signing_keys_refresh(service->oidc->keys, call.now_us, service->oidc->verifier);
    return call;
}

void oidc_add_param(Buf *out, const char *name, const char *value) {
    form_add_param(out, name, value);
}

void oidc_respond_json(UserCall *call, unsigned status, const json_t *body,
                       const HttpHeader *headers) {
    _cleanup_(freep) char *text = json_dumps(body, JSON_COMPACT);
    /* No cookie counts at these endpoints, so any page may read what it was given a token for. */
    HttpHeader all[6] = {{"Access-Control-Allow-Origin", "*"}, {"Pragma", "no-cache"}};
    size_t n = 2;

    for (; headers && headers->name && n < ARRAY_LEN(all) - 1; headers++) {
        all[n++] = *headers;
    }
    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    http_respond(call->request, &(HttpResponse){.status = status,
                                                .content_type = "application/json",
                                                .headers = all,
                                                .body = str_from(text)});
}

void oidc_respond_error(UserCall *call, unsigned status, const char *error,
                        const char *description) {
    _cleanup_(json_decrefp) json_t *body =
        json_pack("{s:s,s:s*}", "error", error, "error_description", description);
    const HttpHeader basic[] = {{"WWW-Authenticate", "Basic realm=\"clients\""}, {0}};

    oidc_respond_json(call, status, body, status == 401 ? basic : NULL);
}

void oidc_respond_fault(UserCall *call, int r) {
    UserFailure failure = user_call_fault(call, r);
    bool later = failure == USER_FAILURE_UNAVAILABLE;

    oidc_respond_error(call, later ? 503 : 500, later ? "temporarily_unavailable" : "server_error",
                       later ? "Please try again in a moment." : NULL);
}

bool oidc_form(UserCall *call, Form *ret_form) {
    const char *type = http_request_header(call->request, "Content-Type");
    const char *detail = "Send application/x-www-form-urlencoded.";
    static const char expected[] = "application/x-www-form-urlencoded";
    Form form = {0};

    if (!type || strncasecmp(type, expected, strlen(expected)) != 0 ||
        form_parse(type, http_request_body(call->request), call->arena, &form, &detail) != 0) {
        oidc_respond_error(call, 400, "invalid_request", detail);
        return false;
    }
    for (size_t i = 0; i < form.n_fields; i++) {
        const FormField *field = &form.fields[i];
        if (form_find(&form, field->name) != field || !str_is_utf8(field->value) ||
            (field->value.len > 0 && memchr(field->value.ptr, '\0', field->value.len))) {
            oidc_respond_error(call, 400, "invalid_request",
                               "A parameter is there twice, or is no text.");
            return false;
        }
    }
    *ret_form = form;
    return true;
}

const char *oidc_field(UserCall *call, const Form *form, const char *name) {
    const FormField *field = form_find(form, name);

    return field && field->value.len > 0 ? arena_strdup(call->arena, field->value) : NULL;
}

static const HttpHeader preflight[] = {
    {"Access-Control-Allow-Origin", "*"},
    {"Access-Control-Allow-Methods", "GET, POST"},
    {"Access-Control-Allow-Headers", "Authorization, Content-Type"},
    {"Access-Control-Max-Age", "3600"},
    {0},
};

void oidc_options_handle(HttpRequest *request, void *context) {
    (void)context;
    http_respond(request, &(HttpResponse){.status = 204, .headers = preflight});
}

static const HttpHeader cached[] = {{"Cache-Control", "public, max-age=300"}, {0}};

static json_t *names(const char *const *list) {
    json_t *array = json_array();

    for (; *list; list++) {
        json_array_append_new(array, json_string(*list));
    }
    return array;
}
#define NAMES(...) names((const char *const[]){__VA_ARGS__, NULL})

/* OpenID Connect Discovery 1.0, section 3; RFC 8414. */
void oidc_discovery_handle(HttpRequest *request, void *context) {
    static const struct {
        const char *name, *path;
    } endpoints[] = {
        {"authorization_endpoint", "authorize"},
        {"token_endpoint", "token"},
        {"userinfo_endpoint", "userinfo"},
        {"jwks_uri", "jwks"},
        {"revocation_endpoint", "revoke"},
        {"introspection_endpoint", "introspect"},
        {"end_session_endpoint", "end-session"},
        {"device_authorization_endpoint", "device-authorization"},
    };
    UserService *service = context;
    UserCall call = oidc_call(service, request);
    _cleanup_(json_decrefp) json_t *body = json_pack("{s:s}", "issuer", service->public_url);

    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        json_object_set_new(body, endpoints[i].name,
                            json_sprintf("%s/oauth/%s", service->public_url, endpoints[i].path));
    }
    json_object_set_new(
        body, "scopes_supported",
        NAMES("openid", "profile", "email", "offline_access", "account", "library"));
    json_object_set_new(body, "response_types_supported", NAMES("code"));
    json_object_set_new(body, "response_modes_supported", NAMES("query"));
    json_object_set_new(body, "grant_types_supported",
                        NAMES("authorization_code", "refresh_token", OIDC_DEVICE_GRANT));
    json_object_set_new(body, "subject_types_supported", NAMES("public"));
    json_object_set_new(body, "id_token_signing_alg_values_supported", NAMES("ES256", "EdDSA"));
    json_object_set_new(body, "token_endpoint_auth_methods_supported",
                        NAMES("none", "client_secret_basic", "client_secret_post"));
    json_object_set_new(body, "revocation_endpoint_auth_methods_supported",
                        NAMES("none", "client_secret_basic", "client_secret_post"));
    json_object_set_new(body, "introspection_endpoint_auth_methods_supported",
                        NAMES("client_secret_basic", "client_secret_post"));
    json_object_set_new(body, "code_challenge_methods_supported", NAMES("S256"));
    json_object_set_new(body, "prompt_values_supported", NAMES("none", "login", "consent"));
    json_object_set_new(body, "claims_supported",
                        NAMES("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "amr", "sid",
                              "at_hash", "name", "locale", "zoneinfo", "picture", "email",
                              "email_verified"));
    json_object_set_new(body, "authorization_response_iss_parameter_supported", json_true());
    json_object_set_new(body, "request_parameter_supported", json_false());
    json_object_set_new(body, "request_uri_parameter_supported", json_false());
    json_object_set_new(body, "claims_parameter_supported", json_false());
    oidc_respond_json(&call, 200, body, cached);
}

void oidc_jwks_handle(HttpRequest *request, void *context) {
    UserService *service = context;
    UserCall call = oidc_call(service, request);
    _cleanup_(json_decrefp) json_t *body = signing_keys_public(service->oidc->keys);

    oidc_respond_json(&call, 200, body, cached);
}
