/* SPDX-License-Identifier: Apache-2.0 */

/* The token endpoint: a code, or a refresh token, for tokens (RFC 6749 4.1.3 and 6; RFC 7636). */

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/error.h"
#include "services/user/oidc/oidc.h"

typedef enum Outcome {
    OUTCOME_GIVEN,
    OUTCOME_INVALID, /* nothing was changed */
    OUTCOME_REUSED,  /* was used before: the grant is gone, and with it all that came of it */
    OUTCOME_REFUSED, /* the right code from the wrong place: it is used up */
    OUTCOME_SCOPE,
} Outcome;

typedef struct Redeem {
    UserCall *call;
    const OauthClient *client;
    GrantCredential kind;
    GrantClaim claim;
    const char *redirect_uri, *verifier; /* of a code */
    uint32_t scopes;                     /* of a refresh token; 0: all that were granted */
    Outcome outcome;
    uint32_t given; /* scopes */
    Grant grant;
} Redeem;

/* RFC 7636 4.1: 43 to 128 unreserved characters; 4.6: base64url of SHA-256 is the challenge. */
static bool fits_challenge(const char *verifier, const char *challenge) {
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t len = strlen(verifier);
    _cleanup_(buf_done) Buf text = BUF_INIT;
    uint8_t digest[DIGEST_LEN];

    if (len < 43 || len > 128 || verifier[strspn(verifier, unreserved)] != '\0') {
        return false;
    }
    digest_sha256((Str){verifier, len}, digest);
    base64url_encode((Str){(const char *)digest, sizeof(digest)}, &text);
    return text.len == strlen(challenge) && digest_equal(text.data, challenge, text.len);
}

int64_t oidc_grant_end_us(const UserCall *call, const Grant *grant) {
    const UserSettings *settings = call->service->options.settings;
    bool offline = grant->scopes & SCOPE_OFFLINE_ACCESS;
    int64_t s = offline ? (int64_t)settings->refresh_token_days * 86400
                        : (int64_t)settings->access_token_minutes * 60 + ACCESS_TOKEN_LEEWAY_S;

    return call->now_us + s * 1000000;
}

static int end_grant(DbTx *tx, Redeem *redeem, const Account *account, Outcome outcome) {
    UserCall *call = redeem->call;
    AuditEvent event = user_call_event(
        call, outcome == OUTCOME_REUSED ? "client.token_reused" : "client.code_refused",
        redeem->client->id);
    int r = grant_store_remove(tx, &account->key.user_id, &redeem->grant.grant_id);

    if (r == 0) {
        r = audit_append(tx, call->service->vault, &account->key, call->now_us, call->arena,
                         &event);
    }
    redeem->outcome = outcome;
    return r < 0 ? err_trace(r) : 0;
}

static int use(DbTx *tx, Redeem *redeem, const Account *account) {
    Grant *grant = &redeem->grant;
    int64_t good = redeem->kind == GRANT_CODE ? 0 : grant->counter;
    uint32_t allowed;
    int r;

    if (redeem->claim.counter != good || (redeem->kind == GRANT_CODE && grant->counter != 0)) {
        return end_grant(tx, redeem, account, OUTCOME_REUSED);
    }
    if (grant->expires_us <= redeem->call->now_us || account->status != ACCOUNT_ACTIVE) {
        return 0;
    }
    if (redeem->kind == GRANT_CODE && (strcmp(redeem->redirect_uri, grant->redirect_uri) != 0 ||
                                       !fits_challenge(redeem->verifier, grant->challenge))) {
        return end_grant(tx, redeem, account, OUTCOME_REFUSED);
    }
    /* What the client may ask for can have become less since. */
    allowed = grant->scopes & redeem->client->scopes;
    if (allowed == 0 || redeem->scopes & ~allowed ||
        (redeem->kind == GRANT_REFRESH && !(allowed & SCOPE_OFFLINE_ACCESS))) {
        redeem->outcome = OUTCOME_SCOPE;
        return 0;
    }
    redeem->given = redeem->scopes ? redeem->scopes : allowed;
    grant->counter++;
    grant->expires_us = oidc_grant_end_us(redeem->call, grant);
    r = grant_store_put(tx, grant);
    redeem->outcome = OUTCOME_GIVEN;
    return r < 0 ? err_trace(r) : 0;
}

static int redeem_in(DbTx *tx, void *userdata) {
    Redeem *redeem = userdata;
    UserCall *call = redeem->call;
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &redeem->claim.user_id, call->arena, &account);

    redeem->outcome = OUTCOME_INVALID;
    if (r != 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    r = grant_store_get(tx, &account.key, &redeem->claim.grant_id, call->arena, &redeem->grant);
    if (r != 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    /* A client that holds what is another's changes nothing by showing it. */
    if (!grant_claim_is_good(&redeem->grant, redeem->kind, &redeem->claim) ||
        strcmp(redeem->grant.client_id, redeem->client->id) != 0) {
        return 0;
    }
    return use(tx, redeem, &account);
}

static void answer(Redeem *redeem) {
    UserCall *call = redeem->call;
    _cleanup_(json_decrefp) json_t *body = NULL;
    int r;

    if (redeem->outcome == OUTCOME_SCOPE) {
        oidc_respond_error(call, 400, "invalid_scope", "More than was granted.");
        return;
    }
    if (redeem->outcome != OUTCOME_GIVEN) {
        oidc_respond_error(call, 400, "invalid_grant",
                           "Unknown, used, expired, or not given to this client for this.");
        return;
    }
    r = oidc_tokens(call, redeem->client, &redeem->grant, redeem->given,
                    redeem->grant.scopes & redeem->client->scopes & SCOPE_OFFLINE_ACCESS,
                    redeem->kind == GRANT_CODE, &body);
    if (r < 0) {
        oidc_respond_fault(call, r);
        return;
    }
    oidc_respond_json(call, 200, body, NULL);
}

/* Fills what the grant type needs; false: it was answered. */
static bool read_parameters(Redeem *redeem, const Form *form, const char **ret_credential) {
    UserCall *call = redeem->call;
    const char *type = oidc_field(call, form, "grant_type");
    const char *scope = oidc_field(call, form, "scope");
    const char *resource = oidc_field(call, form, "resource");

    if (type && strcmp(type, "authorization_code") == 0) {
        redeem->kind = GRANT_CODE;
        redeem->redirect_uri = oidc_field(call, form, "redirect_uri");
        redeem->verifier = oidc_field(call, form, "code_verifier");
        *ret_credential = oidc_field(call, form, "code");
    } else if (type && strcmp(type, "refresh_token") == 0) {
        redeem->kind = GRANT_REFRESH;
        *ret_credential = oidc_field(call, form, "refresh_token");
    } else {
        oidc_respond_error(call, 400, type ? "unsupported_grant_type" : "invalid_request",
                           "grant_type: authorization_code, refresh_token or " OIDC_DEVICE_GRANT
                           ".");
        return false;
    }
    if (!*ret_credential ||
        (redeem->kind == GRANT_CODE && (!redeem->redirect_uri || !redeem->verifier))) {
        oidc_respond_error(call, 400, "invalid_request",
                           "Needs code, redirect_uri and code_verifier, or refresh_token.");
        return false;
    }
    if (resource && strcmp(resource, call->service->public_url) != 0) {
        oidc_respond_error(call, 400, "invalid_target", NULL); /* RFC 8707 2 */
        return false;
    }
    if (redeem->kind == GRANT_REFRESH && scope &&
        scopes_parse(str_from(scope), &redeem->scopes) < 0) {
        oidc_respond_error(call, 400, "invalid_scope", NULL);
        return false;
    }
    return true;
}

void oidc_token_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    Redeem redeem = {.call = &call};
    const char *credential = NULL;
    const char *type;
    Form form;
    int r;

    if (!oidc_form(&call, &form) || !(redeem.client = oidc_client(&call, &form))) {
        return;
    }
    type = oidc_field(&call, &form, "grant_type");
    if (type && strcmp(type, OIDC_DEVICE_GRANT) == 0) {
        oidc_device_poll(&call, redeem.client, &form);
        return;
    }
    if (!read_parameters(&redeem, &form, &credential)) {
        return;
    }
    if (grant_claim_parse(str_from(credential), &redeem.claim) == 0) {
        r = db_write(call.service->options.db, redeem_in, &redeem, NULL);
        if (r != 0) {
            oidc_respond_fault(&call, r < 0 ? r : -EIO);
            return;
        }
    } else {
        redeem.outcome = OUTCOME_INVALID;
    }
    answer(&redeem);
    explicit_bzero(redeem.grant.secret, sizeof(redeem.grant.secret));
}
