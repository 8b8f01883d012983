/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/jwt.h"

#include "base/crypto/base64url.h"
#include "base/error.h"

#include <assert.h>

static_assert(JWT_CLAIMS_LEN_MAX == JWT_LEN_MAX / 4 * 3, "what a token holds can be read");

typedef struct Parts {
    Str header, claims, signature; /* in base64url */
    Str signed_bytes;              /* header.claims */
} Parts;

static int add_json(const json_t *object, Buf *out) {
    _cleanup_(freep) char *text = json_dumps(object, JSON_COMPACT);

    if (!text) {
        return err_trace(-EIO);
    }
    if (strlen(text) > JWT_CLAIMS_LEN_MAX) {
        return err_trace(-E2BIG);
    }
    base64url_encode(str_from(text), out);
    return 0;
}

int jwt_sign(const Jwk *key, const char *typ, const json_t *claims, Buf *out) {
    _cleanup_(json_decrefp) json_t *header = json_pack(
        "{s:s, s:s, s:s}", "alg", jwk_alg_name(jwk_alg(key)), "typ", typ, "kid", jwk_kid(key));
    _cleanup_(buf_done) Buf token = BUF_INIT;
    uint8_t signature[64];
    int r = header ? add_json(header, &token) : -EIO;

    if (r < 0) {
        return err_trace(r);
    }
    buf_add(&token, ".", 1);
    r = add_json(claims, &token);
    if (r < 0) {
        return r;
    }
    r = jwk_sign(key, buf_str(&token), signature);
    if (r < 0) {
        return err_trace(r);
    }
    buf_add(&token, ".", 1);
    base64url_encode((Str){(const char *)signature, sizeof(signature)}, &token);
    if (token.len > JWT_LEN_MAX) {
        return err_trace(-E2BIG);
    }
    buf_add_str(out, buf_str(&token));
    return 0;
}

static bool split(Str token, Parts *ret_parts) {
    Str rest = token;
    Parts parts;

    if (token.len > JWT_LEN_MAX || !str_next_token(&rest, ".", &parts.header) ||
        !str_next_token(&rest, ".", &parts.claims) || !rest.ptr ||
        memchr(rest.ptr, '.', rest.len)) {
        return false;
    }
    parts.signature = rest;
    parts.signed_bytes = (Str){token.ptr, parts.header.len + 1 + parts.claims.len};
    *ret_parts = parts;
    return true;
}

static bool is_string(JwtValue value, const char *expected) {
    return value.type == JWT_VALUE_STRING && str_equal(value.string, str_from(expected));
}

/* A media type, whose "application/" may be left out (RFC 7515 4.1.9). */
static bool same_type(JwtValue value, const char *expected) {
    Str prefix = str_lit("application/"), a = value.string, b = str_from(expected);

    if (value.type != JWT_VALUE_STRING) {
        return false;
    }
    if (a.len > prefix.len && str_equal_nocase((Str){a.ptr, prefix.len}, prefix)) {
        a = (Str){a.ptr + prefix.len, a.len - prefix.len};
    }
    if (b.len > prefix.len && str_equal_nocase((Str){b.ptr, prefix.len}, prefix)) {
        b = (Str){b.ptr + prefix.len, b.len - prefix.len};
    }
    return str_equal_nocase(a, b);
}

static int choose_key(const JwtClaims *header, const Jwks *keys, const Jwk **ret_key) {
    JwtValue kid = jwt_claims_get(header, "kid"), alg = jwt_claims_get(header, "alg");
    const Jwk *key;

    if (alg.type != JWT_VALUE_STRING ||
        (kid.type != JWT_VALUE_ABSENT && kid.type != JWT_VALUE_STRING) ||
        jwt_claims_get(header, "crit").type != JWT_VALUE_ABSENT) {
        return JWT_E_MALFORMED;
    }
    key = kid.type == JWT_VALUE_STRING ? jwks_find(keys, kid.string) : jwks_only(keys);
    if (!key) {
        return JWT_E_UNKNOWN_KEY;
    }
    if (!is_string(alg, jwk_alg_name(jwk_alg(key)))) {
        return JWT_E_ALGORITHM;
    }
    *ret_key = key;
    return 0;
}

static int check_signature(const Parts *parts, const Jwk *key) {
    uint8_t signature[JWK_SIGNATURE_MAX];
    size_t len;
    int r;

    if (base64url_decode_into(parts->signature, signature, sizeof(signature), &len) < 0) {
        return JWT_E_MALFORMED;
    }
    r = jwk_verify(key, parts->signed_bytes, (Str){(const char *)signature, len});
    return r > 0 ? JWT_E_SIGNATURE : err_trace(r);
}

static int check_audience(JwtValue value, const char *expected) {
    const json_t *item;
    size_t i;

    if (value.type == JWT_VALUE_STRING || value.type == JWT_VALUE_ABSENT) {
        return is_string(value, expected) ? 0 : JWT_E_AUDIENCE;
    }
    if (!json_is_array(value.json)) {
        return JWT_E_MALFORMED;
    }
    json_array_foreach(value.json, i, item) {
        if (!json_is_string(item)) {
            return JWT_E_MALFORMED;
        }
        if (strcmp(json_string_value(item), expected) == 0) {
            return 0;
        }
    }
    return JWT_E_AUDIENCE;
}

static bool number_or_absent(JwtValue value) {
    return value.type == JWT_VALUE_NUMBER || value.type == JWT_VALUE_ABSENT;
}

/* NumericDate: seconds, which may have a fraction (RFC 7519 2). */
static int check_times(const JwtClaims *claims, const JwtExpect *expect) {
    JwtValue exp = jwt_claims_get(claims, "exp"), nbf = jwt_claims_get(claims, "nbf"),
             iat = jwt_claims_get(claims, "iat");
    double now = (double)expect->now_s, leeway = expect->leeway_s;

    if (exp.type != JWT_VALUE_NUMBER || !number_or_absent(nbf) || !number_or_absent(iat)) {
        return JWT_E_MALFORMED;
    }
    if (now >= exp.number + leeway) {
        return JWT_E_EXPIRED;
    }
    if ((nbf.type == JWT_VALUE_NUMBER && now + leeway < nbf.number) ||
        (iat.type == JWT_VALUE_NUMBER && now + leeway < iat.number)) {
        return JWT_E_NOT_YET;
    }
    return 0;
}

static int check_claims(const JwtClaims *claims, const JwtExpect *expect) {
    if (expect->issuer && !is_string(jwt_claims_get(claims, "iss"), expect->issuer)) {
        return JWT_E_ISSUER;
    }
    if (expect->audience) {
        int r = check_audience(jwt_claims_get(claims, "aud"), expect->audience);
        if (r != 0) {
            return r;
        }
    }
    return check_times(claims, expect);
}

/* Key and signature, then the type. */
static int check_header(const Parts *parts, const Jwks *keys, const JwtExpect *expect) {
    _cleanup_(jwt_claims_done) JwtClaims header;
    const Jwk *key;
    int r;

    if (jwt_claims_read(parts->header, &header) < 0) {
        return JWT_E_MALFORMED;
    }
    r = choose_key(&header, keys, &key);
    if (r == 0) {
        r = check_signature(parts, key);
    }
    if (r == 0 && expect->typ && !same_type(jwt_claims_get(&header, "typ"), expect->typ)) {
        return JWT_E_TYPE;
    }
    return r;
}

int jwt_verify_flat(Str token, const Jwks *keys, const JwtExpect *expect, JwtClaims *ret_claims) {
    Parts parts;
    int r;

    ret_claims->tree = NULL;
    ret_claims->n_members = 0;
    if (!split(token, &parts)) {
        return JWT_E_MALFORMED;
    }
    r = check_header(&parts, keys, expect);
    if (r == 0 && jwt_claims_read(parts.claims, ret_claims) < 0) {
        return JWT_E_MALFORMED;
    }
    if (r == 0) {
        r = check_claims(ret_claims, expect);
    }
    if (r != 0) {
        jwt_claims_done(ret_claims);
    }
    return r < 0 ? err_trace(r) : r;
}

int jwt_verify(Str token, const Jwks *keys, const JwtExpect *expect, json_t **ret_claims) {
    _cleanup_(jwt_claims_done) JwtClaims claims;
    int r = jwt_verify_flat(token, keys, expect, &claims);
    json_t *tree;

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    tree = jwt_claims_tree(&claims);
    if (!tree) {
        return err_trace(-EIO);
    }
    *ret_claims = tree;
    return 0;
}
