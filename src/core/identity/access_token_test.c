/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity/access_token.h"

#include "base/crypto/jwt.h"
#include "base/test.h"

#include <errno.h>

#define NOW    1800000000
#define ISSUER "https://photos.example.com"

typedef struct Fixture {
    AccessVerifier *verifier;
    Jwk *key;
    json_t *claims;
} Fixture;

static int set_up(void **state) {
    Fixture *fixture = calloc(1, sizeof(*fixture));
    Uuid user = uuid_new(), grant = uuid_new();
    char user_text[UUID_TEXT_SIZE], grant_text[UUID_TEXT_SIZE];
    Jwks *keys = jwks_new();

    uuid_text(&user, user_text);
    uuid_text(&grant, grant_text);
    assert_int_equal(jwk_generate(JWK_ALG_ES256, &fixture->key), 0);
    assert_int_equal(jwks_add(keys, fixture->key), 0);
    fixture->verifier = access_verifier_new(ISSUER, ISSUER);
    access_verifier_set_keys(fixture->verifier, keys);
    fixture->claims =
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:i}", "iss", ISSUER, "aud", ISSUER, "sub",
                  user_text, "grant", grant_text, "client_id", "shop", "scope", "openid account",
                  "iat", NOW, "exp", NOW + 600, "auth_time", NOW - 60);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    Fixture *fixture = *state;

    access_verifier_free(fixture->verifier);
    jwk_unref(fixture->key);
    json_decref(fixture->claims);
    free(fixture);
    return 0;
}

static int verify_as(Fixture *fixture, const char *typ, int64_t now_s, AccessToken *ret_token) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    assert_int_equal(jwt_sign(fixture->key, typ, fixture->claims, &text), 0);
    return access_verify(fixture->verifier, buf_str(&text), now_s, ret_token);
}

static int verify(Fixture *fixture) {
    AccessToken token;

    return verify_as(fixture, "at+jwt", NOW, &token);
}

static void a_good_one_is_read(void **state) {
    Fixture *fixture = *state;
    AccessToken token;

    assert_int_equal(verify_as(fixture, "at+jwt", NOW, &token), 0);
    assert_int_equal(token.scopes, SCOPE_OPENID | SCOPE_ACCOUNT);
    assert_string_equal(token.client_id, "shop");
    assert_int_equal(token.expires_s, NOW + 600);
    assert_int_equal(token.authenticated_s, NOW - 60);
}

/* Signed by the right key, and still not for us: each claim by itself. */
static void what_is_not_for_us_is_refused(void **state) {
    static const struct {
        const char *name, *value;
    } wrong[] = {
        {"iss", "https://evil.example.com"},
        {"iss", ISSUER "/"},
        {"aud", "shop"},
        {"aud", NULL},
        {"iss", NULL},
        {"sub", "root"},
        {"sub", NULL},
        {"grant", NULL},
        {"scope", ""},
        {"scope", "admin"},
        {"client_id", ""},
        {"exp", "tomorrow"},
        {"exp", NULL},
        {"iat", NULL},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        json_t *kept = json_deep_copy(fixture->claims);
        if (wrong[i].value) {
            json_object_set_new(fixture->claims, wrong[i].name, json_string(wrong[i].value));
        } else {
            json_object_del(fixture->claims, wrong[i].name);
        }
        assert_int_equal(verify(fixture), ACCESS_TOKEN_E_INVALID);
        json_decref(fixture->claims);
        fixture->claims = kept;
    }
    assert_int_equal(verify(fixture), 0);
}

static void an_id_token_is_none(void **state) {
    AccessToken token;

    assert_int_equal(verify_as(*state, "JWT", NOW, &token), ACCESS_TOKEN_E_INVALID);
}

static void not_before_its_time(void **state) {
    Fixture *fixture = *state;

    json_object_set_new(fixture->claims, "nbf", json_integer(NOW + 60));
    assert_int_equal(verify(fixture), ACCESS_TOKEN_E_INVALID);
    json_object_del(fixture->claims, "nbf");
    json_object_set_new(fixture->claims, "iat", json_integer(NOW + 60));
    assert_int_equal(verify(fixture), ACCESS_TOKEN_E_INVALID);
}

/* Also when it is remembered as good. */
static void it_expires(void **state) {
    Fixture *fixture = *state;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    AccessToken token;

    assert_int_equal(jwt_sign(fixture->key, "at+jwt", fixture->claims, &text), 0);
    for (int64_t s = 0; s < 600; s += 100) {
        assert_int_equal(access_verify(fixture->verifier, buf_str(&text), NOW + s, &token), 0);
    }
    assert_int_equal(access_verify(fixture->verifier, buf_str(&text), NOW + 606, &token),
                     ACCESS_TOKEN_E_INVALID);
    json_object_set_new(fixture->claims, "exp", json_integer(NOW - 60));
    assert_int_equal(verify(fixture), ACCESS_TOKEN_E_INVALID);
}

static void a_key_that_goes_takes_its_tokens_along(void **state) {
    Fixture *fixture = *state;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    AccessToken token;

    assert_int_equal(jwt_sign(fixture->key, "at+jwt", fixture->claims, &text), 0);
    assert_int_equal(access_verify(fixture->verifier, buf_str(&text), NOW, &token), 0);
    access_verifier_set_keys(fixture->verifier, jwks_new());
    assert_int_equal(access_verify(fixture->verifier, buf_str(&text), NOW, &token),
                     ACCESS_TOKEN_E_INVALID);
}

/* What is remembered is the whole token, not its claims. */
static void another_signature_is_another_token(void **state) {
    Fixture *fixture = *state;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    AccessToken token;

    assert_int_equal(jwt_sign(fixture->key, "at+jwt", fixture->claims, &text), 0);
    assert_int_equal(access_verify(fixture->verifier, buf_str(&text), NOW, &token), 0);
    text.data[text.len - 10] = text.data[text.len - 10] == 'A' ? 'B' : 'A';
    assert_int_equal(access_verify(fixture->verifier, buf_str(&text), NOW, &token),
                     ACCESS_TOKEN_E_INVALID);
}

static void scopes_are_words(void **state) {
    _cleanup_(buf_done) Buf text = BUF_INIT;
    uint32_t scopes = 0;
    (void)state;

    assert_int_equal(scopes_parse(str_lit("email openid email"), &scopes), 0);
    scopes_write(scopes, &text);
    assert_string_equal(buf_cstr(&text), "openid email");
    assert_int_equal(scopes_parse(str_lit(""), &scopes), -EINVAL);
    assert_int_equal(scopes_parse(str_lit("openid Email"), &scopes), -EINVAL);
    assert_int_equal(scopes_parse(str_lit("openid\temail"), &scopes), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_one_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_for_us_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_id_token_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_before_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_expires, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_that_goes_takes_its_tokens_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_signature_is_another_token, set_up, tear_down),
        cmocka_unit_test(scopes_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
