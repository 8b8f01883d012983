/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/jwt.h"
#include "base/test.h"
#include "services/user/issuer/flow.h"
#include "services/user/issuer/id_token.h"
#include "services/user/issuer/issuers.h"

static void only_paths_of_this_server_are_gone_back_to(void **state) {
    static const char *const good[] = {"/", "/account", "/account?a=b#c", "/oauth/authorize?x=%2F"};
    static const char *const bad[] = {
        "",     "account", "//evil.example", "/\\evil.example", "\\\\evil", "https://evil.example/",
        "/\tx", "/a\nb",   "/a b",           "/a\\b",           "/\x7f",    "/\xc3\xa9"};
    char path[FLOW_BACK_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(flow_back_is_ours(good[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(flow_back_is_ours(bad[i]));
    }
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[FLOW_BACK_MAX + 1] = '\0';
    assert_false(flow_back_is_ours(path));
    path[FLOW_BACK_MAX] = '\0';
    assert_true(flow_back_is_ours(path));
}

static void secrets_go_over_tls_or_nowhere(void **state) {
    static const char *const good[] = {"https://a.example",      "https://a.example:8443/x?y=z",
                                       "http://127.0.0.1:80/x",  "http://[::1]:80",
                                       "http://localhost/token", "https://[2001:db8::1]/x"};
    static const char *const bad[] = {"",
                                      "https://",
                                      "https:///x",
                                      "https://?x",
                                      "http://a.example",
                                      "http://127.0.0.1.evil.example",
                                      "http://localhost.evil.example",
                                      "http://localhost@evil.example",
                                      "https://user@a.example",
                                      "https://a.example/#x",
                                      "https://a.example/ x",
                                      "https://a.example\\@evil",
                                      "HTTPS://a.example",
                                      "ftp://a.example",
                                      "javascript:x"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(issuer_url_is_allowed(str_from(good[i])));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(issuer_url_is_allowed(str_from(bad[i])));
    }
}

/* OpenID Connect Core 1.0, appendix A.4: code id_token token; its at_hash is of that token. */
static const char access_token[] = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";

static const char *fault(const char *members) {
    const IdTokenExpect all = {.client_id = "us",
                               .nonce = "n-0S6_WzA2Mj",
                               .access_token = access_token,
                               .authenticated_after_s = 1000};
    _cleanup_(buf_done) Buf text = BUF_INIT;
    _cleanup_(json_decrefp) json_t *claims = NULL;

    buf_addf(&text,
             "{\"sub\":\"ada\",\"iat\":1,\"nonce\":\"n-0S6_WzA2Mj\",\"aud\":\"us\","
             "\"auth_time\":1000%s%s}",
             members[0] ? "," : "", members);
    claims =
        json_loads(buf_cstr(&text), JSON_ALLOW_NUL, NULL); /* later members replace the former */
    assert_non_null(claims);
    return id_token_fault(claims, &all);
}

static void id_tokens_have_to_say_what_was_asked(void **state) {
    static const char *const good[] = {
        "",
        "\"azp\":\"us\"",
        "\"aud\":[\"us\"]",
        "\"aud\":[\"us\",\"them\"],\"azp\":\"us\"",
        "\"auth_time\":1000.5",
        "\"at_hash\":\"77QmUPtjPfzWtF2AnpK9RQ\"",
        /* The left half of its SHA-512, as Ed25519 has it. */
        "\"at_hash\":\"q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM\"",
    };
    static const char *const bad[] = {
        "\"sub\":\"\"",
        "\"sub\":null",
        "\"sub\":\"a\\u0000b\"",
        "\"iat\":\"1\"",
        "\"nonce\":\"n-0S6_WzA2M\"",
        "\"nonce\":null",
        "\"azp\":\"them\"",
        "\"azp\":null",
        "\"aud\":[\"us\",\"them\"]",
        "\"auth_time\":999",
        "\"auth_time\":\"1000\"",
        "\"auth_time\":null",
        "\"at_hash\":\"77QmUPtjPfzWtF2AnpK9RA\"",
        "\"at_hash\":\"\"",
        "\"at_hash\":null",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_null(fault(good[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_non_null(fault(bad[i]));
    }
}

static IdentityClaims claims_of(const char *text, Arena *arena) {
    _cleanup_(json_decrefp) json_t *claims = json_loads(text, 0, NULL);

    assert_non_null(claims);
    return identity_claims(claims, arena);
}

static void a_profile_is_taken_as_far_as_it_may_be(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    IdentityClaims claims =
        claims_of("{\"sub\":\"1\",\"email\":\"a@b.example\","
                  "\"email_verified\":true,\"name\":\"Ada\",\"locale\":\"en-GB\","
                  "\"zoneinfo\":\"Europe/London\",\"auth_time\":5}",
                  arena);

    (void)state;
    assert_string_equal(claims.name, "Ada");
    assert_string_equal(claims.locale, "en-GB");
    assert_string_equal(claims.zone, "Europe/London");
    assert_true(claims.email_verified);
    assert_int_equal(claims.authenticated_s, 5);
    claims = claims_of("{\"sub\":\"1\",\"email\":7,\"email_verified\":\"true\","
                       "\"name\":\"\\u202eevil\",\"locale\":\"../..\",\"zoneinfo\":\"<b>\","
                       "\"auth_time\":1e300}",
                       arena);
    assert_string_equal(claims.email, "");
    assert_false(claims.email_verified);
    assert_string_equal(claims.name, "");
    assert_string_equal(claims.locale, "");
    assert_string_equal(claims.zone, "");
    assert_int_equal(claims.authenticated_s, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_paths_of_this_server_are_gone_back_to),
        cmocka_unit_test(secrets_go_over_tls_or_nowhere),
        cmocka_unit_test(id_tokens_have_to_say_what_was_asked),
        cmocka_unit_test(a_profile_is_taken_as_far_as_it_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
