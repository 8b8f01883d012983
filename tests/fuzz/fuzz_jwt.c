/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what reads tokens, key sets and base64url. The input up to the first line end is a token,
 * the rest a key set; the token is tried on that set, as if a stranger had made both, and on a key
 * whose signatures nobody can forge. Beyond the sanitizers it checks that bytes have one text, that
 * a set that was read is written and read as the same, and that no token passes.
 */
#include "base/crypto/base64url.h"
#include "base/crypto/jwt.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_base64url(Str text, Arena *arena) {
    _cleanup_(buf_done) Buf again = BUF_INIT;
    Str bytes;

    if (base64url_decode(text, arena, &bytes) == 0) {
        base64url_encode(bytes, &again);
        assert(str_equal(buf_str(&again), text));
    }
}

static void same_value(JwtValue value, const json_t *json) {
    switch (value.type) {
    case JWT_VALUE_STRING:
        assert(json_is_string(json) && str_equal(value.string, str_from(json_string_value(json))));
        break;
    case JWT_VALUE_NUMBER:
        assert(json_is_integer(json) && value.integer == json_integer_value(json) &&
               value.number == json_number_value(json));
        break;
    default:
        assert(json_is_boolean(json) || json_is_null(json));
    }
}

/* As claims: the JSON library has the last word. */
static void read_claims(Str text) {
    _cleanup_(json_decrefp) json_t *json =
        json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, NULL);
    _cleanup_(buf_done) Buf encoded = BUF_INIT;
    JwtClaims claims;

    if (text.len > JWT_CLAIMS_LEN_MAX) {
        return;
    }
    base64url_encode(text, &encoded);
    assert((jwt_claims_read(buf_str(&encoded), &claims) == 0) == json_is_object(json));
    if (json_is_object(json) && !claims.tree) {
        assert(claims.n_members == json_object_size(json));
        for (size_t i = 0; i < claims.n_members; i++) {
            const JwtMember *member = &claims.members[i];
            same_value(member->value, json_object_getn(json, member->name.ptr, member->name.len));
        }
    }
    jwt_claims_done(&claims);
}

static void read_set(Str text, Str token) {
    static const JwtExpect anything = {.now_s = 1300819379};
    _cleanup_(jwks_freep) Jwks *jwks = NULL, *again = NULL;
    _cleanup_(json_decrefp) json_t *written = NULL, *rewritten = NULL, *claims = NULL;
    _cleanup_(freep) char *dumped = NULL;

    if (jwks_read(text, &jwks) != 0) {
        return;
    }
    written = jwks_write(jwks);
    dumped = json_dumps(written, JSON_COMPACT);
    assert(dumped && jwks_read(str_from(dumped), &again) == 0);
    rewritten = jwks_write(again);
    assert(json_equal(written, rewritten));
    if (jwt_verify(token, jwks, &anything, &claims) == 0) {
        assert(json_is_number(json_object_get(claims, "exp")));
    }
}

static const Jwks *our_keys(void) {
    static Jwks *jwks;
    Jwk *key;

    if (!jwks) {
        jwks = jwks_new();
        assert(jwk_generate(JWK_ALG_EDDSA, &key) == 0 && jwks_add(jwks, key) == 0);
        jwk_unref(key);
    }
    return jwks;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const JwtExpect anything = {.now_s = 0};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str rest = {(const char *)data, size}, token;
    json_t *claims = NULL;
    int r;

    if (!str_next_token(&rest, "\n", &token)) {
        return 0;
    }
    read_base64url(token, arena);
    read_claims(token);
    r = jwt_verify(token, our_keys(), &anything, &claims);
    assert(r > 0 && !claims);
    if (rest.ptr) {
        read_claims(rest);
        read_set(rest, token);
    }
    return 0;
}
