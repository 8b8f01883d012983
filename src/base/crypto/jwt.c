/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/jwt.h"

#include "base/crypto/base64url.h"
#include "base/error.h"

#define JSON_LEN_MAX (JWT_LEN_MAX / 4 * 3)

typedef struct Parts {
    Str header, claims, signature; /* in base64url */
    Str signed_bytes;              /* header.claims */
} Parts;

static int add_json(const json_t *object, Buf *out) {
    _cleanup_(freep) char *text = json_dumps(object, JSON_COMPACT);

    if (!text) {
        return err_trace(-EIO);
    }
    if (strlen(text) > JSON_LEN_MAX) {
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

/* An object, or NULL. */
static json_t *load(Str encoded) {
    uint8_t text[JSON_LEN_MAX];
    json_t *object;
    size_t len;

    if (base64url_decode_into(encoded, text, sizeof(text), &len) < 0) {
        return NULL;
    }
    object = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, NULL);
    if (object && !json_is_object(object)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static bool is_string(const json_t *value, const char *expected) {
    return json_is_string(value) && strcmp(json_string_value(value), expected) == 0;
}

/* A media type, whose "application/" may be left out (RFC 7515 4.1.9). */
static bool same_type(const json_t *value, const char *expected) {
    Str prefix = str_lit("application/"), a, b = str_from(expected);

    if (!json_is_string(value)) {
        return false;
    }
    a = (Str){json_string_value(value), json_string_length(value)};
    if (a.len > prefix.len && str_equal_nocase((Str){a.ptr, prefix.len}, prefix)) {
        a = (Str){a.ptr + prefix.len, a.len - prefix.len};
    }
    if (b.len > prefix.len && str_equal_nocase((Str){b.ptr, prefix.len}, prefix)) {
        b = (Str){b.ptr + prefix.len, b.len - prefix.len};
    }
    return str_equal_nocase(a, b);
}

static int choose_key(const json_t *header, const Jwks *keys, const Jwk **ret_key) {
    const json_t *kid = json_object_get(header, "kid"), *alg = json_object_get(header, "alg");
    const Jwk *key;

    if (!json_is_string(alg) || (kid && !json_is_string(kid)) || json_object_get(header, "crit")) {
        return JWT_E_MALFORMED;
    }
    key = kid ? jwks_find(keys, (Str){json_string_value(kid), json_string_length(kid)})
              : jwks_only(keys);
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

static int check_audience(const json_t *value, const char *expected) {
    const json_t *item;
    size_t i;

    if (json_is_string(value)) {
        return is_string(value, expected) ? 0 : JWT_E_AUDIENCE;
    }
    if (value && !json_is_array(value)) {
        return JWT_E_MALFORMED;
    }
    json_array_foreach(value, i, item) {
        if (!json_is_string(item)) {
            return JWT_E_MALFORMED;
        }
        if (is_string(item, expected)) {
            return 0;
        }
    }
    return JWT_E_AUDIENCE;
}

/* NumericDate: seconds, which may have a fraction (RFC 7519 2). */
static int check_times(const json_t *claims, const JwtExpect *expect) {
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf"),
                 *iat = json_object_get(claims, "iat");
    double now = (double)expect->now_s, leeway = expect->leeway_s;

    if (!json_is_number(exp) || (nbf && !json_is_number(nbf)) || (iat && !json_is_number(iat))) {
        return JWT_E_MALFORMED;
    }
    if (now >= json_number_value(exp) + leeway) {
        return JWT_E_EXPIRED;
    }
    if ((nbf && now + leeway < json_number_value(nbf)) ||
        (iat && now + leeway < json_number_value(iat))) {
        return JWT_E_NOT_YET;
    }
    return 0;
}

static int check_claims(const json_t *claims, const JwtExpect *expect) {
    if (expect->issuer && !is_string(json_object_get(claims, "iss"), expect->issuer)) {
        return JWT_E_ISSUER;
    }
    if (expect->audience) {
        int r = check_audience(json_object_get(claims, "aud"), expect->audience);
        if (r != 0) {
            return r;
        }
    }
    return check_times(claims, expect);
}

int jwt_verify(Str token, const Jwks *keys, const JwtExpect *expect, json_t **ret_claims) {
    _cleanup_(json_decrefp) json_t *header = NULL, *claims = NULL;
    const Jwk *key;
    Parts parts;
    int r;

    if (!split(token, &parts) || !(header = load(parts.header))) {
        return JWT_E_MALFORMED;
    }
    r = choose_key(header, keys, &key);
    if (r != 0) {
        return r;
    }
    r = check_signature(&parts, key);
    if (r != 0) {
        return r;
    }
    if (expect->typ && !same_type(json_object_get(header, "typ"), expect->typ)) {
        return JWT_E_TYPE;
    }
    claims = load(parts.claims);
    if (!claims) {
        return JWT_E_MALFORMED;
    }
    r = check_claims(claims, expect);
    if (r != 0) {
        return r;
    }
    *ret_claims = TAKE_PTR(claims);
    return 0;
}
