/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/jwt.h"
#include "base/test.h"

#include <errno.h>

#define NOW 1767225600

/* RFC 7515, appendices A.2 and A.3: RS256 and ES256 over the same claims. */
static const char rsa_jwk[] = "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":"
                              "\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPdd"
                              "xHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
                              "YpRPEwOWvG6b32690r2jZ47soMZo9wGz"
                              "jb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
                              "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3q"
                              "Co5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
                              "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
                              "\"}";
static const char rsa_token[] =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb"
    "S9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__"
    "dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh"
    "-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
    "nZLgrnbyTyWzO75vRK5h6xBArL"
    "IARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCn"
    "vWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
static const char ec_jwk[] = "{\"kty\":\"EC\",\"crv\":\"P-256\","
                             "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                             "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";
static const char ec_token[] =
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS"
    "9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-"
    "F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJ"
    "qPP3-Kg6NU1Q";
/* RFC 8037, appendix A: Ed25519. */
static const char ed_jwk[] =
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";
static const char ed_signed[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
static const char ed_signature[] =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVs"
    "Pt9g7sVvpAr_MuM0KAg";
/* Its private key of appendix A.1, in PKCS #8 (RFC 8410 7). */
static const char ed_pkcs8_hex[] =
    "302e020100300506032b657004220420"
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

static Jwk *read_jwk(const char *text) {
    _cleanup_(json_decrefp) json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    Jwk *jwk;

    assert_non_null(object);
    assert_int_equal(jwk_read(object, &jwk), 0);
    return jwk;
}

static Jwks *set_of(Jwk *jwk) {
    Jwks *jwks = jwks_new();

    assert_int_equal(jwks_add(jwks, jwk), 0);
    return jwks;
}

static void the_rfcs_tokens_are_verified(void **state) {
    static const char *const pairs[][2] = {{rsa_jwk, rsa_token}, {ec_jwk, ec_token}};
    static const JwtExpect expect = {.issuer = "joe", .now_s = 1300819379};
    static const JwtExpect late = {.issuer = "joe", .now_s = 1300819380};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        _cleanup_(jwk_unrefp) Jwk *jwk = read_jwk(pairs[i][0]);
        _cleanup_(jwks_freep) Jwks *jwks = set_of(jwk);
        _cleanup_(json_decrefp) json_t *claims = NULL;
        json_t *none = NULL;
        _cleanup_(freep) char *changed = strdup(pairs[i][1]);

        assert_int_equal(jwt_verify(str_from(pairs[i][1]), jwks, &expect, &claims), 0);
        assert_true(json_is_true(json_object_get(claims, "http://example.com/is_root")));
        assert_int_equal(jwt_verify(str_from(pairs[i][1]), jwks, &late, &none), JWT_E_EXPIRED);
        changed[strlen(changed) - 10] ^= 1;
        assert_int_equal(jwt_verify(str_from(changed), jwks, &expect, &none), JWT_E_SIGNATURE);
        assert_null(none);
    }
}

static void thumbprints_are_the_rfcs(void **state) {
    static const char rfc7638[] =
        "{\"kty\":\"RSA\",\"n\":"
        "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7"
        "aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_"
        "RN5w6Cf0h4QyQ5v"
        "-65YGjQR0_"
        "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFT"
        "WhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\","
        "\"e\":"
        "\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}";
    _cleanup_(jwk_unrefp) Jwk *rsa = read_jwk(rfc7638), *ed = read_jwk(ed_jwk);

    (void)state;
    assert_string_equal(jwk_thumbprint(rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_string_equal(jwk_kid(rsa), "2011-04-29");
    assert_string_equal(jwk_kid(ed), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/* Ed25519 is deterministic: the stored key of the RFC must sign as the RFC does. */
static void a_stored_ed25519_key_signs_as_in_the_rfc(void **state) {
    uint8_t secret[AEAD_KEY_LEN] = {3}, der[48], sealed[48 + AEAD_OVERHEAD], signature[64];
    uint8_t expected[64];
    _cleanup_(jwk_unrefp) Jwk *jwk = NULL, *seeded = NULL, *public = read_jwk(ed_jwk);

    (void)state;
    assert_int_equal(hex_decode(str_from(ed_pkcs8_hex), der, sizeof(der)), 0);
    assert_int_equal(jwk_from_seed(der + sizeof(der) - JWK_SEED_LEN, &seeded), 0);
    assert_string_equal(jwk_kid(seeded), jwk_kid(public));
    assert_true(jwk_is_private(seeded));
    assert_int_equal(aead_seal(secret, (Str){(char *)der, sizeof(der)}, str_lit("key"), sealed), 0);
    assert_int_equal(jwk_open((Str){(char *)sealed, sizeof(sealed)}, secret, str_lit("key"), &jwk),
                     0);
    assert_string_equal(jwk_kid(jwk), jwk_kid(public));
    assert_int_equal(jwk_sign(jwk, str_from(ed_signed), signature), 0);
    assert_int_equal(base64url_decode_fixed(str_from(ed_signature), expected, 64), 0);
    assert_memory_equal(signature, expected, 64);
    assert_int_equal(jwk_verify(public, str_from(ed_signed), (Str){(char *)signature, 64}), 0);
    signature[5] ^= 1;
    assert_int_equal(jwk_verify(public, str_from(ed_signed), (Str){(char *)signature, 64}),
                     JWK_E_FORGED);
}

static void keys_are_stored_sealed_and_published_without_secrets(void **state) {
    static const JwkAlg algs[] = {JWK_ALG_ES256, JWK_ALG_EDDSA};
    uint8_t secret[AEAD_KEY_LEN] = {3}, signature[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        _cleanup_(jwk_unrefp) Jwk *made = NULL, *opened = NULL;
        _cleanup_(buf_done) Buf sealed = BUF_INIT;
        _cleanup_(jwks_freep) Jwks *set = NULL, *published = NULL;
        _cleanup_(json_decrefp) json_t *written = NULL;
        _cleanup_(freep) char *text = NULL;
        const Jwk *found;

        assert_int_equal(jwk_generate(algs[i], &made), 0);
        assert_int_equal(jwk_seal(made, secret, str_lit("row"), &sealed), 0);
        assert_int_equal(jwk_open(buf_str(&sealed), secret, str_lit("wor"), &opened), JWK_E_FORGED);
        assert_int_equal(jwk_open(buf_str(&sealed), secret, str_lit("row"), &opened), 0);
        assert_true(jwk_is_private(opened));

        set = set_of(opened);
        written = jwks_write(set);
        text = json_dumps(written, 0);
        assert_null(strstr(text, "\"d\""));
        assert_int_equal(jwks_read(str_from(text), &published), 0);
        found = jwks_find(published, str_from(jwk_thumbprint(made)));
        assert_non_null(found);
        assert_false(jwk_is_private(found));
        assert_int_equal(jwk_sign(opened, str_lit("x"), signature), 0);
        assert_int_equal(jwk_verify(found, str_lit("x"), (Str){(char *)signature, 64}), 0);
        assert_int_equal(jwk_verify(found, str_lit("y"), (Str){(char *)signature, 64}),
                         JWK_E_FORGED);
        assert_int_equal(jwk_verify(found, str_lit("x"), (Str){(char *)signature, 63}),
                         JWK_E_FORGED);
    }
}

static void bad_keys_are_refused_and_foreign_ones_left_out(void **state) {
    static const char *const invalid[] = {
        "{}",
        "[]",
        "{\"keys\":{}}",
        "{\"keys\":[1]}",
        "{\"keys\":[{}]}",
        "{\"keys\":[],\"keys\":[]}",
        /* a secret somebody published, an HMAC key, a point off the curve, a short coordinate */
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"x\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
        "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
        "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83O\",\"y\":\"x_FEzRu9m36HLN_"
        "tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
        /* RSA of 64 bits; two keys of one kid; an empty kid */
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybR\",\"e\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
    };
    static const char foreign[] =
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"x\",\"y\":\"y\"},{\"kty\":"
        "\"new\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"enc\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"alg\":\"ES256\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"key_ops\":[\"sign\"],\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"good\",\"use\":\"sig\",\"alg\":\"EdDSA\","
        "\"key_ops\":[\"verify\"],"
        "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"more\":1}]}";
    _cleanup_(jwks_freep) Jwks *jwks = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
        assert_int_equal(jwks_read(str_from(invalid[i]), &jwks), JWK_E_INVALID);
    }
    assert_int_equal(jwks_read(str_from(foreign), &jwks), 0);
    assert_non_null(jwks_only(jwks));
    assert_string_equal(jwk_kid(jwks_only(jwks)), "good");
}

/* A key, a set with it, and what its tokens must say. */
typedef struct Fixture {
    Jwk *key;
    Jwks *keys;
} Fixture;

static const JwtExpect expect = {"at+jwt", "https://id", "https://api", NOW, 5};

static int setup(void **state) {
    static Fixture fixture;

    assert_int_equal(jwk_generate(JWK_ALG_ES256, &fixture.key), 0);
    fixture.keys = set_of(fixture.key);
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    Fixture *fixture = *state;

    jwks_free(fixture->keys);
    jwk_unref(fixture->key);
    return 0;
}

/* Signs any header and claims, also what jwt_sign() would never write; "@" stands for the kid. */
static int verify_raw(const Fixture *fixture, const char *header, Str claims) {
    _cleanup_(buf_done) Buf token = BUF_INIT, text = BUF_INIT;
    _cleanup_(json_decrefp) json_t *read = NULL;
    uint8_t signature[64];

    for (const char *c = header; *c; c++) {
        buf_add_str(&text, *c == '@' ? str_from(jwk_kid(fixture->key)) : (Str){c, 1});
    }
    base64url_encode(buf_str(&text), &token);
    buf_add(&token, ".", 1);
    base64url_encode(claims, &token);
    assert_int_equal(jwk_sign(fixture->key, buf_str(&token), signature), 0);
    buf_add(&token, ".", 1);
    base64url_encode((Str){(char *)signature, 64}, &token);
    return jwt_verify(buf_str(&token), fixture->keys, &expect, &read);
}

#define HEADER "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"@\"}"
#define CLAIMS "\"iss\":\"https://id\",\"aud\":\"https://api\",\"exp\":1767225700"

static void headers_are_held_to_the_key(void **state) {
    static const struct {
        const char *header;
        int expected;
    } cases[] = {
        {HEADER, 0},
        {"{\"typ\":\"application/AT+JWT\",\"alg\":\"ES256\"}", 0},
        {"{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"@\"}", JWT_E_ALGORITHM},
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"@\"}", JWT_E_ALGORITHM},
        {"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"@\"}", JWT_E_ALGORITHM},
        {"{\"alg\":\"es256\",\"typ\":\"at+jwt\",\"kid\":\"@\"}", JWT_E_ALGORITHM},
        {"{\"typ\":\"at+jwt\",\"kid\":\"@\"}", JWT_E_MALFORMED},
        {"{\"alg\":5,\"typ\":\"at+jwt\",\"kid\":\"@\"}", JWT_E_MALFORMED},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"@x\"}", JWT_E_UNKNOWN_KEY},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":7}", JWT_E_MALFORMED},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"@\",\"crit\":[\"b64\"],\"b64\":true}",
         JWT_E_MALFORMED},
        {"{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"@\"}", JWT_E_MALFORMED},
        {"{\"alg\":\"ES256\",\"kid\":\"@\"}", JWT_E_TYPE},
        {"{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"@\"}", JWT_E_TYPE},
        {"[]", JWT_E_MALFORMED},
        {"", JWT_E_MALFORMED},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(verify_raw(*state, cases[i].header, str_lit("{" CLAIMS "}")),
                         cases[i].expected);
        /* Again, as what is remembered of a header must not change the answer. */
        assert_int_equal(verify_raw(*state, cases[i].header, str_lit("{" CLAIMS "}")),
                         cases[i].expected);
    }
}

static void claims_are_checked(void **state) {
#define ISS "\"iss\":\"https://id\","
#define AUD "\"aud\":\"https://api\","
    static const struct {
        const char *claims;
        int expected;
    } cases[] = {
        {"{" ISS AUD "\"exp\":1767225600}", 0}, /* within the leeway */
        {"{" ISS AUD "\"exp\":1767225595.5}", 0},
        {"{" ISS AUD "\"exp\":1767225595}", JWT_E_EXPIRED},
        {"{" ISS AUD "\"exp\":-1}", JWT_E_EXPIRED},
        {"{" ISS AUD "\"x\":1}", JWT_E_MALFORMED},
        {"{" ISS AUD "\"exp\":\"1767225700\"}", JWT_E_MALFORMED},
        {"{" CLAIMS ",\"nbf\":1767225605,\"iat\":1767225605}", 0},
        {"{" CLAIMS ",\"nbf\":1767225606}", JWT_E_NOT_YET},
        {"{" CLAIMS ",\"iat\":1767225606}", JWT_E_NOT_YET},
        {"{" CLAIMS ",\"nbf\":true}", JWT_E_MALFORMED},
        {"{\"iss\":\"https://id/\"," AUD "\"exp\":1767225700}", JWT_E_ISSUER},
        {"{" AUD "\"exp\":1767225700}", JWT_E_ISSUER},
        {"{\"iss\":[\"https://id\"]," AUD "\"exp\":1767225700}", JWT_E_ISSUER},
        {"{" ISS "\"exp\":1767225700}", JWT_E_AUDIENCE},
        {"{" ISS "\"aud\":\"https://other\",\"exp\":1767225700}", JWT_E_AUDIENCE},
        {"{" ISS "\"aud\":[\"x\",\"https://api\"],\"exp\":1767225700}", 0},
        {"{" ISS "\"aud\":[\"x\"],\"exp\":1767225700}", JWT_E_AUDIENCE},
        {"{" ISS "\"aud\":[],\"exp\":1767225700}", JWT_E_AUDIENCE},
        {"{" ISS "\"aud\":[7],\"exp\":1767225700}", JWT_E_MALFORMED},
        {"{" ISS "\"aud\":{},\"exp\":1767225700}", JWT_E_MALFORMED},
        {"{" CLAIMS ",\"exp\":1767225700}", JWT_E_MALFORMED},
        {"{" CLAIMS ",\"a\":{\"b\":1,\"b\":2}}", JWT_E_MALFORMED},
        {"{" CLAIMS "} ", 0},
        {"{" CLAIMS "}x", JWT_E_MALFORMED},
        {"\"text\"", JWT_E_MALFORMED},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(verify_raw(*state, HEADER, str_from(cases[i].claims)), cases[i].expected);
    }
}

static void only_the_exact_compact_form_is_a_token(void **state) {
    const Fixture *fixture = *state;
    _cleanup_(json_decrefp) json_t *claims = json_loads("{" CLAIMS "}", 0, NULL), *read = NULL;
    _cleanup_(buf_done) Buf good = BUF_INIT;
    Str token;

    assert_int_equal(jwt_sign(fixture->key, "at+jwt", claims, &good), 0);
    token = buf_str(&good);
    assert_int_equal(jwt_verify(token, fixture->keys, &expect, &read), 0);
    assert_true(json_equal(read, claims));
    for (size_t len = 0; len < token.len; len++) {
        json_t *none = NULL;
        assert_int_not_equal(jwt_verify((Str){token.ptr, len}, fixture->keys, &expect, &none), 0);
        assert_null(none);
    }
    for (size_t i = 0; i < token.len; i++) {
        _cleanup_(json_decrefp) json_t *none = NULL;
        char kept = good.data[i];
        good.data[i] = kept == 'A' ? 'B' : 'A';
        assert_int_not_equal(jwt_verify(token, fixture->keys, &expect, &none), 0);
        good.data[i] = '=';
        assert_int_not_equal(jwt_verify(token, fixture->keys, &expect, &none), 0);
        good.data[i] = kept;
    }
    buf_add(&good, ".x", 2);
    assert_int_equal(jwt_verify(buf_str(&good), fixture->keys, &expect, &read), JWT_E_MALFORMED);
}

static void long_tokens_are_neither_written_nor_read(void **state) {
    const Fixture *fixture = *state;
    _cleanup_(freep) char *filler = calloc(1, 7001);
    _cleanup_(json_decrefp) json_t *claims = NULL;
    _cleanup_(buf_done) Buf out = BUF_INIT, raw = BUF_INIT;

    assert_non_null(filler);
    memset(filler, 'x', 7000);
    claims = json_pack("{s:s}", "x", filler);
    assert_int_equal(jwt_sign(fixture->key, "at+jwt", claims, &out), -E2BIG);
    assert_int_equal(out.len, 0);
    buf_addf(&raw, "{" CLAIMS ",\"x\":\"%.*s\"}", 5700, filler);
    assert_int_equal(verify_raw(fixture, HEADER, buf_str(&raw)), 0);
    buf_done(&raw);
    buf_addf(&raw, "{" CLAIMS ",\"x\":\"%.*s\"}", 6200, filler);
    assert_int_equal(verify_raw(fixture, HEADER, buf_str(&raw)), JWT_E_MALFORMED);
}

/* Another issuer may make tokens of the same form; its key is not in the set. */
static void another_keys_signature_is_refused(void **state) {
    const Fixture *fixture = *state;
    _cleanup_(jwk_unrefp) Jwk *other = NULL;
    _cleanup_(json_decrefp) json_t *claims = json_loads("{" CLAIMS "}", 0, NULL);
    _cleanup_(buf_done) Buf token = BUF_INIT;
    json_t *none = NULL;

    assert_int_equal(jwk_generate(JWK_ALG_ES256, &other), 0);
    assert_int_equal(jwt_sign(other, "at+jwt", claims, &token), 0);
    assert_int_equal(jwt_verify(buf_str(&token), fixture->keys, &expect, &none), JWT_E_UNKNOWN_KEY);
    assert_int_equal(jwks_add(fixture->keys, fixture->key), JWK_E_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_tokens_are_verified),
        cmocka_unit_test(thumbprints_are_the_rfcs),
        cmocka_unit_test(a_stored_ed25519_key_signs_as_in_the_rfc),
        cmocka_unit_test(keys_are_stored_sealed_and_published_without_secrets),
        cmocka_unit_test(bad_keys_are_refused_and_foreign_ones_left_out),
        cmocka_unit_test_setup_teardown(headers_are_held_to_the_key, setup, teardown),
        cmocka_unit_test_setup_teardown(claims_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_exact_compact_form_is_a_token, setup, teardown),
        cmocka_unit_test_setup_teardown(long_tokens_are_neither_written_nor_read, setup, teardown),
        cmocka_unit_test_setup_teardown(another_keys_signature_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
