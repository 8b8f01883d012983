/* SPDX-License-Identifier: Apache-2.0 */

/* Back from another issuer: whether it is the one that was asked, whether it is to be believed, and
 * what comes of it. */

#include "base/crypto/digest.h"
#include "base/error.h"
#include "services/user/attempts.h"
#include "services/user/issuer/visit.h"
#include "services/user/oidc/oidc.h"
#include "services/user/sessions.h"
#include "services/user/text.h"

typedef struct Answer {
    IssuerEndpoints endpoints;
    IssuerTokens tokens;
    const char *code;
} Answer;

static bool refuse(Visit *visit, unsigned status, const char *title, const char *text) {
    bool signed_in = visit->flow.session && visit->flow.session[0];

    metric_add(visit->call->service->metrics.sign_ins_refused, 1);
    visit_page(visit, status, title, text, signed_in ? "/account" : "/account/sign-in",
               signed_in ? "Back to the account" : "Sign in another way");
    return false;
}

static bool refuse_away(Visit *visit, const char *reason) {
    visit_log(visit, "issuer away", reason);
    return refuse(visit, 502, "That did not work",
                  arena_printf(visit->call->arena,
                               "%s did not answer as it should. Please try again in a moment.",
                               visit->issuer->title));
}

static bool refuse_forged(Visit *visit, const char *reason) {
    visit_log(visit, "issuer not believed", reason);
    return refuse(visit, 403, "That did not work",
                  arena_printf(visit->call->arena,
                               "What came back from %s cannot be believed. Nobody was signed in.",
                               visit->issuer->title));
}

/* A parameter that is there once; *ret_value NULL: absent. False: it is there twice. */
static bool param(UserCall *call, const char *name, const char **ret_value) {
    *ret_value = http_request_query(call->request, name);
    return http_request_query_count(call->request, name) <= 1;
}

/* That this browser was sent to this issuer, and nobody has come back from it yet. */
static bool read_flow(Visit *visit) {
    UserCall *call = visit->call;
    const char *state;

    if (!param(call, "state", &state) || !state ||
        !flow_read(call, call->service->issuer->flow_key, &visit->flow) ||
        visit->flow.stage != FLOW_SENT || strlen(state) != strlen(visit->flow.id) ||
        !digest_equal(state, visit->flow.id, strlen(state)) ||
        strcmp(visit->flow.issuer, visit->issuer->name) != 0 || !flow_use(call, &visit->flow)) {
        visit->flow = (Flow){0};
        return refuse(visit, 400, "Please start again",
                      "This answer does not belong to what this browser has begun, was used "
                      "already, or took too long.");
    }
    return true;
}

/* RFC 9207 2.4: an answer that names another issuer is another's. */
static bool check_iss(Visit *visit, const IssuerEndpoints *endpoints) {
    const char *iss;

    if (!param(visit->call, "iss", &iss) || (iss && strcmp(iss, visit->issuer->issuer) != 0) ||
        (!iss && endpoints->sends_iss)) {
        return refuse_forged(visit, "iss: not this issuer's answer");
    }
    return true;
}

static bool read_code(Visit *visit, const char **ret_code) {
    UserCall *call = visit->call;
    const char *error;

    if (!param(call, "error", &error) || error) {
        visit_log(visit, "issuer refused", error ? error : "several errors");
        return refuse(
            visit, 403, "You are not signed in",
            arena_printf(call->arena, "%s did not let it through.", visit->issuer->title));
    }
    if (!param(call, "code", ret_code) || !*ret_code || !(*ret_code)[0]) {
        return refuse_forged(visit, "code: missing");
    }
    return true;
}

static bool check_claims(Visit *visit, const Answer *answer, const json_t *claims) {
    const IdTokenExpect expect = {
        .client_id = visit->issuer->client_id,
        .nonce = visit->flow.nonce,
        .access_token = answer->tokens.access_token,
        .authenticated_after_s =
            visit->flow.fresh ? (int64_t)visit->flow.created_s - ISSUER_LEEWAY_S : 0};
    const char *fault = id_token_fault(claims, &expect);

    if (fault) {
        return refuse_forged(visit, fault);
    }
    visit->claims = identity_claims(claims, visit->call->arena);
    visit->flow.subject = visit->claims.subject;
    visit->flow.authenticated_s = (uint64_t)visit->claims.authenticated_s;
    return true;
}

static bool redeem(Visit *visit, Answer *answer) {
    UserCall *call = visit->call;
    IssuerRemote *remote = call->service->issuer->remote;
    _cleanup_(json_decrefp) json_t *claims = NULL;
    const char *reason = "";
    int r = issuer_remote_redeem(remote, visit->issuer, &answer->endpoints, answer->code,
                                 visit->flow.verifier, visit_redirect_uri(visit), call->arena,
                                 &answer->tokens, &reason);

    if (r == 0) {
        r = issuer_remote_verify(remote, visit->issuer, &answer->endpoints,
                                 str_from(answer->tokens.id_token), call->now_us, call->arena,
                                 &claims, &reason);
    }
    switch (r) {
    case 0:
        return check_claims(visit, answer, claims);
    case ISSUER_E_FORGED:
        return refuse_forged(visit, reason);
    case ISSUER_E_AWAY:
        return refuse_away(visit, reason);
    default:
        visit_page_failure(visit, user_call_fault(call, r));
        return false;
    }
}

/* What the ID token leaves out, userinfo may say. Its subject has to be the same (Core 1.0, section
 * 5.3.2). */
static bool complete_claims(Visit *visit, const Answer *answer) {
    UserCall *call = visit->call;
    _cleanup_(json_decrefp) json_t *json = NULL;
    const char *reason = "", *canonical = "";
    IdentityClaims *claims = &visit->claims, more;

    if (!claims->email[0] && answer->endpoints.userinfo && answer->tokens.access_token) {
        int r = issuer_remote_userinfo(call->service->issuer->remote, &answer->endpoints,
                                       answer->tokens.access_token, call->arena, &json, &reason);
        if (r != 0) {
            return refuse_away(visit, reason);
        }
        more = identity_claims(json, call->arena);
        if (strcmp(more.subject, claims->subject) != 0) {
            return refuse_forged(visit, "userinfo: of another subject");
        }
        more.authenticated_s = claims->authenticated_s;
        *claims = more;
    }
    if (!claims->email_verified ||
        email_canonical(str_from(claims->email), call->arena, &canonical) < 0) {
        canonical = "";
    }
    claims->email = canonical;
    visit->flow.email = canonical;
    return true;
}

typedef struct Search {
    Visit *visit;
    bool known, has_account; /* the identity; the address */
} Search;

static int search_identity(DbTx *tx, void *userdata) {
    Search *search = userdata;
    Visit *visit = search->visit;
    int r = identity_store_owner(tx, visit->call->service->vault, visit->issuer->issuer,
                                 visit->claims.subject, visit->call->arena, &visit->user_id);

    search->known = r == 0;
    return r < 0 ? err_trace(r) : 0;
}

static int search_address(DbTx *tx, void *userdata) {
    Search *search = userdata;
    Visit *visit = search->visit;
    uint8_t hash[VAULT_HASH_LEN];
    int r;

    vault_hash_email(visit->call->service->vault, str_from(visit->claims.email), hash);
    r = account_store_find_id(tx, hash, visit->call->arena, &visit->user_id);
    search->has_account = r == 0;
    return r < 0 ? err_trace(r) : 0;
}

bool visit_may_register(const Visit *visit) {
    return visit->issuer->registration && visit->call->service->options.settings->registration;
}

/* Somebody whom nobody here knows by this identity. */
static void meet(Visit *visit, Search *search, const Answer *answer) {
    UserCall *call = visit->call;
    int r;

    if (!complete_claims(visit, answer)) {
        return;
    }
    if (!visit->claims.email[0]) {
        refuse(visit, 403, "Your address is not confirmed",
               arena_printf(call->arena,
                            "%s does not vouch for an e-mail address of yours that can be used "
                            "here. Confirm it there and come back, or sign in another way and add "
                            "%s on your account page.",
                            visit->issuer->title, visit->issuer->title));
        return;
    }
    r = db_read(call->service->options.db, NULL, search_address, search);
    if (r != 0) {
        visit_page_failure(visit, user_call_fault(call, r < 0 ? r : -EIO));
    } else if (search->has_account) {
        visit_page_link(visit, 200, NULL);
    } else if (visit_may_register(visit) && agreements_require(call->service->agreements)) {
        visit_page_agree(visit, 200, NULL);
    } else if (visit_may_register(visit)) {
        visit_register(visit);
    } else {
        refuse(visit, 403, "There is no account",
               "Nobody has an account with your address here, and accounts are opened by the "
               "operator.");
    }
}

/* Whether the session of this request is the one that was there at the start. */
static bool is_same_session(Visit *visit) {
    UserCall *call = visit->call;
    char text[UUID_TEXT_SIZE];

    if (sessions_authenticate_cookie(call) != USER_FAILURE_NONE) {
        return false;
    }
    uuid_text(&call->session.session_id, text);
    return strcmp(text, visit->flow.session) == 0;
}

static void prove(Visit *visit, const Search *search) {
    if (!search->known || !uuid_equal(&visit->user_id, &visit->call->session.user_id)) {
        refuse(visit, 403, "That is somebody else",
               arena_printf(visit->call->arena,
                            "This account is not linked with who you are at %s.",
                            visit->issuer->title));
        return;
    }
    visit_prove(visit);
}

static void add(Visit *visit, const Search *search, const Answer *answer) {
    UserCall *call = visit->call;

    if (search->known) {
        bool own = uuid_equal(&visit->user_id, &call->session.user_id);
        refuse(visit, 409, own ? "It is linked already" : "It is linked with another account",
               own ? "Your account is linked with it already."
                   : "Who you are there signs in to another account here.");
        return;
    }
    if (!visit_session_is_fresh(call)) {
        visit_page_failure(visit, USER_FAILURE_STALE_PROOF);
        return;
    }
    if (complete_claims(visit, answer)) {
        visit_add(visit);
    }
}

static void decide(Visit *visit, const Answer *answer) {
    UserCall *call = visit->call;
    Search search = {.visit = visit};
    int r;

    if (visit->flow.purpose != FLOW_SIGN_IN && !is_same_session(visit)) {
        refuse(visit, 403, "Please sign in again",
               "You were signed out meanwhile, or somebody else has signed in here.");
        return;
    }
    r = db_read(call->service->options.db, NULL, search_identity, &search);
    if (r != 0) {
        visit_page_failure(visit, user_call_fault(call, r < 0 ? r : -EIO));
        return;
    }
    switch (visit->flow.purpose) {
    case FLOW_PROVE:
        prove(visit, &search);
        break;
    case FLOW_ADD:
        add(visit, &search, answer);
        break;
    default:
        if (search.known) {
            visit_enter(visit);
        } else {
            meet(visit, &search, answer);
        }
    }
}

static bool take_attempt(Visit *visit) {
    UserFailure failure = attempts_take_network(visit->call);

    if (failure != USER_FAILURE_NONE) {
        visit_page_failure(visit, failure);
    }
    return failure == USER_FAILURE_NONE;
}

void issuer_callback_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    const UserIssuer *part = call.service->issuer;
    const char *name = http_request_param(request, "name"), *reason = "";
    Visit visit = {.call = &call, .issuer = issuers_find(part->issuers, str_from(name))};
    Answer answer = {0};

    if (!visit.issuer) {
        visit_page(&visit, 400, "Not found", "There is no such way to sign in here.",
                   "/account/sign-in", "Sign in");
        return;
    }
    if (!read_flow(&visit) || !take_attempt(&visit)) {
        return;
    }
    if (issuer_remote_endpoints(part->remote, visit.issuer, call.now_us, call.arena,
                                &answer.endpoints, &reason) != 0) {
        refuse_away(&visit, reason);
        return;
    }
    if (check_iss(&visit, &answer.endpoints) && read_code(&visit, &answer.code) &&
        redeem(&visit, &answer)) {
        decide(&visit, &answer);
    }
}
