/* SPDX-License-Identifier: Apache-2.0 */

/* What is signed: access tokens (RFC 9068) and ID tokens (OpenID Connect Core, section 2). */

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/jwt.h"
#include "base/error.h"
#include "services/user/oidc/oidc.h"
#include "services/user/oidc/part.h"

static const char *uuid_string(UserCall *call, const Uuid *uuid) {
    char *text = arena_alloc(call->arena, UUID_TEXT_SIZE);

    uuid_text(uuid, text);
    return text;
}

/* RFC 8176. */
static json_t *amr(uint32_t methods) {
    static const struct {
        uint32_t method;
        const char *name;
    } names[] = {{SESSION_METHOD_PASSWORD, "pwd"},
                 {SESSION_METHOD_TOTP, "otp"},
                 {SESSION_METHOD_RECOVERY, "otp"},
                 {SESSION_METHOD_PASSKEY, "hwk"}};
    uint32_t second = SESSION_METHOD_TOTP | SESSION_METHOD_RECOVERY;
    json_t *array = json_array();

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (methods & names[i].method) {
            json_array_append_new(array, json_string(names[i].name));
        }
    }
    /* A passkey is a key whose holder the device has checked. */
    if ((methods & SESSION_METHOD_PASSWORD && methods & second) ||
        methods & SESSION_METHOD_PASSKEY) {
        json_array_append_new(array, json_string("mfa"));
    }
    return array;
}

static int sign(UserCall *call, JwkAlg alg, const char *typ, const json_t *claims, Buf *out) {
    _cleanup_(jwk_unrefp) Jwk *key =
        signing_keys_current(call->service->oidc->keys, alg, call->now_us);
    int r = jwt_sign(key, typ, claims, out);

    return r < 0 ? err_trace(r) : 0;
}

static json_t *common_claims(UserCall *call, const Grant *grant, const char *audience,
                             int64_t life_s) {
    json_int_t now_s = call->now_us / 1000000, end_s = now_s + life_s;

    return json_pack("{s:s,s:s,s:s,s:I,s:I,s:I}", "iss", call->service->public_url, "sub",
                     uuid_string(call, &grant->user_id), "aud", audience, "iat", now_s, "exp",
                     end_s, "auth_time", (json_int_t)(grant->authenticated_us / 1000000));
}

static int access_token(UserCall *call, const Grant *grant, const char *scope, int64_t life_s,
                        Buf *out) {
    _cleanup_(json_decrefp) json_t *claims =
        common_claims(call, grant, call->service->public_url, life_s);
    Uuid jti = uuid_new();

    json_object_set_new(claims, "client_id", json_string(grant->client_id));
    json_object_set_new(claims, "scope", json_string(scope));
    json_object_set_new(claims, "jti", json_string(uuid_string(call, &jti)));
    json_object_set_new(claims, "grant", json_string(uuid_string(call, &grant->grant_id)));
    return sign(call, JWK_ALG_ES256, "at+jwt", claims, out);
}

/* The left half of a SHA-256 (OpenID Connect Core, section 3.1.3.6). Of Ed25519, which hashes with
 * SHA-512 inside, too: what libraries agree on for EdDSA is SHA-512, so it is left out there. */
static void add_at_hash(json_t *claims, Str token) {
    _cleanup_(buf_done) Buf text = BUF_INIT;
    uint8_t digest[DIGEST_LEN];

    digest_sha256(token, digest);
    base64url_encode((Str){(const char *)digest, DIGEST_LEN / 2}, &text);
    json_object_set_new(claims, "at_hash", json_string(buf_cstr(&text)));
}

static int id_token(UserCall *call, const OauthClient *client, const Grant *grant, bool nonce,
                    int64_t life_s, Str access, Buf *out) {
    _cleanup_(json_decrefp) json_t *claims = common_claims(call, grant, grant->client_id, life_s);

    json_object_set_new(claims, "amr", amr(grant->methods));
    json_object_set_new(claims, "sid", json_string(uuid_string(call, &grant->session_id)));
    if (nonce && grant->nonce) {
        json_object_set_new(claims, "nonce", json_string(grant->nonce));
    }
    if (client->id_token_alg == JWK_ALG_ES256) {
        add_at_hash(claims, access);
    }
    return sign(call, client->id_token_alg, "JWT", claims, out);
}

int oidc_tokens(UserCall *call, const OauthClient *client, const Grant *grant, uint32_t scopes,
                bool refresh, bool nonce, json_t **ret_body) {
    int64_t life_s = (int64_t)call->service->options.settings->access_token_minutes * 60;
    _cleanup_(buf_done) Buf scope = BUF_INIT, access = BUF_INIT, id = BUF_INIT;
    char credential[GRANT_CREDENTIAL_LEN + 1];
    json_t *body;
    int r;

    scopes_write(scopes, &scope);
    r = access_token(call, grant, buf_cstr(&scope), life_s, &access);
    if (r == 0 && scopes & SCOPE_OPENID) {
        r = id_token(call, client, grant, nonce, life_s, buf_str(&access), &id);
    }
    if (r < 0) {
        return err_trace(r);
    }
    body = json_pack("{s:s,s:s,s:I,s:s}", "access_token", buf_cstr(&access), "token_type", "Bearer",
                     "expires_in", (json_int_t)life_s, "scope", buf_cstr(&scope));
    if (id.len > 0) {
        json_object_set_new(body, "id_token", json_string(buf_cstr(&id)));
    }
    if (refresh) {
        grant_credential(grant, GRANT_REFRESH, credential);
        json_object_set_new(body, "refresh_token", json_string(credential));
    }
    *ret_body = body;
    return 0;
}

typedef struct Check {
    UserCall *call;
    const AccessToken *token;
} Check;

static int check_grant(DbTx *tx, void *userdata) {
    Check *check = userdata;

    return grant_store_check(tx, &check->token->user_id, &check->token->grant_id,
                             check->call->now_us, check->call->arena);
}

int oidc_find(UserCall *call, Str text, AccessToken *ret_token) {
    AccessToken token;
    int r;

    /* It may be signed by a key that another process has made. A fault keeps those there were. */
    (void)signing_keys_refresh(call->service->oidc->keys, call->now_us,
                               call->service->oidc->verifier);
    r = access_verify(call->service->oidc->verifier, text, call->now_us / 1000000, &token);
    if (r == 0) {
        /* The token says that it was good when it was made; what was taken back since is here. */
        r = db_read(call->service->options.db, NULL, check_grant, &(Check){call, &token});
    }
    if (r == 0) {
        *ret_token = token;
    }
    return r <= 0 ? err_trace(r) : ACCESS_TOKEN_E_INVALID;
}

UserFailure oidc_bearer(UserCall *call, AccessToken *ret_token) {
    static const Str scheme = {"bearer ", 7};
    const char *authorization = http_request_header(call->request, "Authorization");
    Str value = str_trim(str_from(authorization));
    int r;

    if (!authorization || value.len <= scheme.len ||
        !str_equal_nocase((Str){value.ptr, scheme.len}, scheme)) {
        return USER_FAILURE_SIGNED_OUT;
    }
    r = oidc_find(call, str_trim((Str){value.ptr + scheme.len, value.len - scheme.len}), ret_token);
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    return USER_FAILURE_NONE;
}

UserFailure oidc_authenticate(UserCall *call) {
    AccessToken token;
    UserFailure failure;

    failure = oidc_bearer(call, &token);
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (!(token.scopes & SCOPE_ACCOUNT)) {
        call->detail = "This needs an access token with the scope account.";
        call->bearer_error = "insufficient_scope";
        return USER_FAILURE_FORBIDDEN;
    }
    call->session = (Session){.user_id = token.user_id,
                              .authenticated_us = token.authenticated_s * 1000000,
                              .created_us = token.issued_s * 1000000,
                              .seen_us = call->now_us,
                              .expires_us = token.expires_s * 1000000};
    call->by_token = true;
    call->signed_in = true;
    return USER_FAILURE_NONE;
}
