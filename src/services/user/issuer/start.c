/* SPDX-License-Identifier: Apache-2.0 */

/* Off to another issuer: to sign in, to add an identity, or to prove who one is again. */

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/log.h"
#include "services/user/issuer/visit.h"
#include "services/user/oidc/oidc.h"

void visit_log(const Visit *visit, const char *event, const char *reason) {
    log_warn(event, LOG_STR("request_id", http_request_id(visit->call->request)),
             LOG_STR("issuer", visit->issuer ? visit->issuer->name : ""),
             LOG_STR("reason", reason));
}

bool visit_session_is_fresh(const UserCall *call) {
    int64_t minutes = (int64_t)call->service->options.settings->fresh_minutes;

    return call->signed_in && !call->by_token &&
           call->now_us - call->session.authenticated_us <= minutes * 60 * 1000000;
}

const char *visit_redirect_uri(const Visit *visit) {
    return arena_printf(visit->call->arena, "%s/oauth/issuers/%s/callback",
                        visit->call->service->public_url, visit->issuer->name);
}

static void add_challenge(Buf *query, const char *verifier) {
    _cleanup_(buf_done) Buf challenge = BUF_INIT;
    uint8_t digest[DIGEST_LEN];

    digest_sha256(str_from(verifier), digest);
    base64url_encode((Str){(const char *)digest, sizeof(digest)}, &challenge);
    oidc_add_param(query, "code_challenge", buf_cstr(&challenge));
    oidc_add_param(query, "code_challenge_method", "S256");
}

int visit_send(Visit *visit, const char **ret_location, const char **ret_cookie) {
    UserCall *call = visit->call;
    const UserIssuer *part = call->service->issuer;
    uint64_t max_age_s = call->service->options.settings->session_days * 86400;
    _cleanup_(buf_done) Buf query = BUF_INIT;
    IssuerEndpoints endpoints;
    const char *reason;
    int r = issuer_remote_endpoints(part->remote, visit->issuer, call->now_us, call->arena,
                                    &endpoints, &reason);

    if (r != 0) {
        visit_log(visit, "issuer away", reason);
        return r;
    }
    visit->flow.stage = FLOW_SENT;
    visit->flow.issuer = visit->issuer->name;
    visit->flow.subject = visit->flow.email = "";
    visit->flow.name = visit->flow.locale = visit->flow.zone = "";
    flow_begin(&visit->flow, call->arena, call->now_us);
    oidc_add_param(&query, "response_type", "code");
    oidc_add_param(&query, "client_id", visit->issuer->client_id);
    oidc_add_param(&query, "redirect_uri", visit_redirect_uri(visit));
    oidc_add_param(&query, "scope", visit->issuer->scope);
    oidc_add_param(&query, "state", visit->flow.id);
    oidc_add_param(&query, "nonce", visit->flow.nonce);
    add_challenge(&query, visit->flow.verifier);
    /* Asking for an age makes the issuer say when it was given a proof (Core 1.0, section 2). */
    oidc_add_param(&query, "max_age",
                   arena_printf(call->arena, "%llu",
                                visit->flow.fresh ? 0ULL : (unsigned long long)max_age_s));
    if (visit->flow.fresh) {
        oidc_add_param(&query, "prompt", "login");
    }
    *ret_location =
        arena_printf(call->arena, "%s%s%s", endpoints.authorization,
                     strchr(endpoints.authorization, '?') ? "&" : "?", buf_cstr(&query));
    *ret_cookie = flow_cookie(call, part->flow_key, &visit->flow);
    return 0;
}

static const char *query_once(UserCall *call, const char *name) {
    return http_request_query_count(call->request, name) == 1
               ? http_request_query(call->request, name)
               : NULL;
}

void issuer_start_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    const char *name = http_request_param(request, "name");
    const char *back = query_once(&call, "return"), *fresh = query_once(&call, "fresh");
    Visit visit = {.call = &call,
                   .issuer = issuers_find(call.service->issuer->issuers, str_from(name)),
                   .flow = {.purpose = FLOW_SIGN_IN, .session = ""}};
    const char *location, *cookie;

    if (!visit.issuer) {
        visit_page(&visit, 400, "Not found", "There is no such way to sign in here.",
                   "/account/sign-in", "Sign in");
        return;
    }
    visit.flow.back = back && flow_back_is_ours(back) ? back : "/account";
    visit.flow.fresh = fresh && strcmp(fresh, "1") == 0;
    if (visit_send(&visit, &location, &cookie) != 0) {
        visit_page(&visit, 503, "That did not work",
                   arena_printf(call.arena,
                                "%s does not answer as it should. Please try again "
                                "in a moment, or sign in another way.",
                                visit.issuer->title),
                   "/account/sign-in", "Sign in");
        return;
    }
    http_respond_see_other(request, location, (const HttpHeader[]){{"Set-Cookie", cookie}, {0}});
}

typedef struct StartBody {
    const char *issuer, *back;
} StartBody;

static const JsonField start_fields[] = {
    {"issuer", JSON_FIELD_STR, offsetof(StartBody, issuer), true, .max = 32},
    {"return", JSON_FIELD_STR, offsetof(StartBody, back), .max = FLOW_BACK_MAX},
    {0},
};

/* For whoever is signed in: where to go is told, as a script's request cannot lead there. */
static UserFailure start(UserCall *call, FlowPurpose purpose, json_t **ret_body) {
    StartBody body = {.back = "/account"};
    UserFailure failure = user_call_read(call, start_fields, &body);
    const char *location;
    char *session;
    Visit visit = {.call = call, .flow = {.purpose = purpose, .fresh = purpose == FLOW_PROVE}};

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    visit.issuer = issuers_find(call->service->issuer->issuers, str_from(body.issuer));
    if (!visit.issuer) {
        call->detail = "issuer: there is none of that name.";
        return USER_FAILURE_INVALID_FIELD;
    }
    if (!flow_back_is_ours(body.back)) {
        call->detail = "return: not a path on this server.";
        return USER_FAILURE_INVALID_FIELD;
    }
    session = arena_alloc(call->arena, UUID_TEXT_SIZE);
    uuid_text(&call->session.session_id, session);
    visit.flow.session = session;
    visit.flow.back = body.back;
    if (visit_send(&visit, &location, &call->set_cookie) != 0) {
        call->retry_after_s = 5;
        call->detail =
            arena_printf(call->arena, "%s does not answer as it should.", visit.issuer->title);
        return USER_FAILURE_UNAVAILABLE;
    }
    *ret_body = json_pack("{s:s}", "location", location);
    return USER_FAILURE_NONE;
}

static UserFailure start_link(UserCall *call, json_t **ret_body) {
    return start(call, FLOW_ADD, ret_body);
}

static UserFailure start_proof(UserCall *call, json_t **ret_body) {
    return start(call, FLOW_PROVE, ret_body);
}

void identity_link_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, start_link);
}

void issuer_prove_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SESSION, start_proof);
}
