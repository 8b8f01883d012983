/* SPDX-License-Identifier: Apache-2.0 */

/* What tokens are shown to: who it is (OpenID Connect Core, section 5.3), whether it is good (RFC
 * 7662), and that it shall be no more (RFC 7009). */

#include "base/error.h"
#include "services/user/oidc/oidc.h"

void oidc_respond_bearer_error(UserCall *call, unsigned status, const char *error) {
    const char *challenge = user_call_challenge(call, error);
    const HttpHeader headers[] = {{"WWW-Authenticate", challenge},
                                  {"Access-Control-Expose-Headers", "WWW-Authenticate"},
                                  {0}};
    _cleanup_(json_decrefp) json_t *body =
        json_pack("{s:s}", "error", error ? error : "invalid_token");

    oidc_respond_json(call, status, body, headers);
}

bool oidc_admit_bearer(UserCall *call, uint32_t scope, AccessToken *ret_token) {
    UserFailure failure = oidc_bearer(call, ret_token);

    if (failure == USER_FAILURE_SIGNED_OUT) {
        oidc_respond_bearer_error(call, 401, NULL);
    } else if (failure != USER_FAILURE_NONE) {
        oidc_respond_error(call, user_failure_info(failure)->status, "temporarily_unavailable",
                           NULL);
    } else if (!(ret_token->scopes & scope)) {
        oidc_respond_bearer_error(call, 403, "insufficient_scope");
    } else {
        return true;
    }
    return false;
}

typedef struct Shown {
    UserCall *call;
    Uuid user_id;
    Account account;
    GrantClaim claim;
    Grant grant;
    const OauthClient *client;
    bool is_grant; /* the grant is there and the token is its present one */
} Shown;

static int load_account(DbTx *tx, void *userdata) {
    Shown *shown = userdata;

    return account_store_get(tx, shown->call->service->vault, &shown->user_id, shown->call->arena,
                             &shown->account);
}

static void add_text(json_t *claims, const char *name, const char *value) {
    if (value[0]) {
        json_object_set_new(claims, name, json_string(value));
    }
}

static json_t *claims_of(UserCall *call, const Account *account, uint32_t scopes) {
    char id[UUID_TEXT_SIZE];
    json_t *claims;

    uuid_text(&account->key.user_id, id);
    claims = json_pack("{s:s}", "sub", id);
    if (scopes & SCOPE_PROFILE) {
        add_text(claims, "name", account->profile.name);
        add_text(claims, "locale", account->profile.locale);
        add_text(claims, "zoneinfo", account->profile.zone);
    }
    if (scopes & SCOPE_PROFILE && account->avatar_version > 0) {
        json_object_set_new(claims, "picture",
                            json_sprintf("%s" OIDC_PICTURE_PATH "?version=%lld",
                                         call->service->public_url,
                                         (long long)account->avatar_version));
    }
    if (scopes & SCOPE_EMAIL) {
        json_object_set_new(claims, "email", json_string(account->email));
        json_object_set_new(claims, "email_verified", json_true()); /* no account before it is */
    }
    return claims;
}

void oidc_userinfo_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    Shown shown = {.call = &call};
    AccessToken token;
    _cleanup_(json_decrefp) json_t *claims = NULL;
    int r;

    if (!oidc_admit_bearer(&call, SCOPE_OPENID, &token)) {
        return;
    }
    shown.user_id = token.user_id;
    r = db_read(call.service->options.db, NULL, load_account, &shown);
    if (r < 0) {
        oidc_respond_fault(&call, r);
    } else if (r > 0 || shown.account.status == ACCOUNT_LOCKED) {
        oidc_respond_bearer_error(&call, 401, NULL);
    } else {
        claims = claims_of(&call, &shown.account, token.scopes);
        oidc_respond_json(&call, 200, claims, NULL);
    }
    account_done(&shown.account);
}

static int load_grant(DbTx *tx, void *userdata) {
    Shown *shown = userdata;
    _cleanup_(account_done) Account account = {0};
    int r = account_store_get(tx, shown->call->service->vault, &shown->claim.user_id,
                              shown->call->arena, &account);

    shown->is_grant = false;
    if (r == 0) {
        r = grant_store_get(tx, &account.key, &shown->claim.grant_id, shown->call->arena,
                            &shown->grant);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    shown->is_grant = grant_claim_is_good(&shown->grant, GRANT_REFRESH, &shown->claim) &&
                      shown->claim.counter == shown->grant.counter && shown->grant.counter > 0 &&
                      shown->grant.expires_us > shown->call->now_us;
    return 0;
}

static int check_access(DbTx *tx, void *userdata) {
    Shown *shown = userdata;

    return grant_store_check(tx, &shown->claim.user_id, &shown->claim.grant_id, shown->call->now_us,
                             shown->call->arena);
}

static json_t *introspection(const char *type, const char *client_id, const Uuid *user_id,
                             uint32_t scopes, int64_t expires_s) {
    _cleanup_(buf_done) Buf scope = BUF_INIT;
    char id[UUID_TEXT_SIZE];

    uuid_text(user_id, id);
    scopes_write(scopes, &scope);
    return json_pack("{s:b,s:s,s:s,s:s,s:s,s:I}", "active", 1, "token_type", type, "client_id",
                     client_id, "sub", id, "scope", buf_cstr(&scope), "exp", (json_int_t)expires_s);
}

/* What is known of the token; NULL in *ret_body when it is not good. */
static int look(Shown *shown, const char *text, json_t **ret_body) {
    UserCall *call = shown->call;
    AccessToken token;
    int r;

    *ret_body = NULL;
    if (grant_claim_parse(str_from(text), &shown->claim) == 0) {
        r = db_read(call->service->options.db, NULL, load_grant, shown);
        if (r != 0) {
            return err_trace(r < 0 ? r : -EIO);
        }
        if (shown->is_grant && strcmp(shown->grant.client_id, shown->client->id) == 0) {
            *ret_body =
                introspection("refresh_token", shown->grant.client_id, &shown->grant.user_id,
                              shown->grant.scopes, shown->grant.expires_us / 1000000);
        }
        return 0;
    }
    r = access_verify(call->service->oidc->verifier, str_from(text), call->now_us / 1000000,
                      &token);
    if (r == 0) {
        shown->claim = (GrantClaim){.user_id = token.user_id, .grant_id = token.grant_id};
        r = db_read(call->service->options.db, NULL, check_access, shown);
    }
    if (r < 0) {
        return err_trace(r);
    }
    if (r == 0) {
        *ret_body =
            introspection("Bearer", token.client_id, &token.user_id, token.scopes, token.expires_s);
        json_object_set_new(*ret_body, "iat", json_integer(token.issued_s));
        json_object_set_new(*ret_body, "iss", json_string(call->service->public_url));
        json_object_set_new(*ret_body, "aud", json_string(call->service->public_url));
    }
    return 0;
}

void oidc_introspect_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    Shown shown = {.call = &call};
    _cleanup_(json_decrefp) json_t *body = NULL;
    const char *token;
    Form form;
    int r;

    if (!oidc_form(&call, &form) || !(shown.client = oidc_client(&call, &form))) {
        return;
    }
    if (!shown.client->confidential) {
        oidc_respond_error(&call, 401, "invalid_client", "Only clients with a secret may ask.");
        return;
    }
    token = oidc_field(&call, &form, "token");
    if (!token) {
        oidc_respond_error(&call, 400, "invalid_request", "token: missing.");
        return;
    }
    r = look(&shown, token, &body);
    if (r < 0) {
        oidc_respond_fault(&call, r);
        return;
    }
    if (!body) {
        body = json_pack("{s:b}", "active", 0);
    }
    oidc_respond_json(&call, 200, body, NULL);
}

static int revoke(DbTx *tx, void *userdata) {
    Shown *shown = userdata;
    UserCall *call = shown->call;
    AuditEvent event = user_call_event(call, "client.revoked", shown->client->id);
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &shown->claim.user_id, call->arena, &account);

    if (r == 0) {
        r = grant_store_get(tx, &account.key, &shown->claim.grant_id, call->arena, &shown->grant);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    if (strcmp(shown->grant.client_id, shown->client->id) != 0 ||
        (!shown->is_grant && !grant_claim_is_good(&shown->grant, GRANT_REFRESH, &shown->claim))) {
        return 0; /* RFC 7009 2.2: not its own, or none at all: nothing happens */
    }
    r = grant_store_remove(tx, &account.key.user_id, &shown->claim.grant_id);
    if (r == 0) {
        r = audit_append(tx, call->service->vault, &account.key, call->now_us, call->arena, &event);
    }
    return r < 0 ? err_trace(r) : 0;
}

/* Either kind of token takes the whole grant with it (RFC 7009 2.1). */
void oidc_revoke_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    Shown shown = {.call = &call};
    _cleanup_(json_decrefp) json_t *body = json_object();
    AccessToken token;
    const char *text;
    Form form;
    int r;

    if (!oidc_form(&call, &form) || !(shown.client = oidc_client(&call, &form))) {
        return;
    }
    text = oidc_field(&call, &form, "token");
    if (!text) {
        oidc_respond_error(&call, 400, "invalid_request", "token: missing.");
        return;
    }
    r = grant_claim_parse(str_from(text), &shown.claim) == 0 ? 0 : 1;
    if (r != 0) {
        r = access_verify(call.service->oidc->verifier, str_from(text), call.now_us / 1000000,
                          &token);
        shown.is_grant = r == 0;
        if (r == 0) {
            shown.claim = (GrantClaim){.user_id = token.user_id, .grant_id = token.grant_id};
        }
    }
    if (r == 0) {
        r = db_write(call.service->options.db, revoke, &shown, NULL);
    }
    if (r < 0) {
        oidc_respond_fault(&call, r);
        return;
    }
    oidc_respond_json(&call, 200, body, NULL);
}
