/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/jwt_claims.h"

#include "base/crypto/base64url.h"
#include "base/test.h"

#include <errno.h>

static int read_text(Str text, JwtClaims *ret_claims) {
    _cleanup_(buf_done) Buf encoded = BUF_INIT;

    base64url_encode(text, &encoded);
    return jwt_claims_read(buf_str(&encoded), ret_claims);
}

static void flat_objects_are_read_without_a_tree(void **state) {
    static const char text[] =
        " {\"iss\" : \"https://id\",\"exp\":1767225700,\r\n\t\"zero\":0,\"yes\":true,\"no\":false,"
        "\"nothing\":null,\"\":\"~ \",\"most\":999999999999999}\n";
    _cleanup_(jwt_claims_done) JwtClaims claims;
    _cleanup_(json_decrefp) json_t *tree = NULL, *expected = json_loads(text, 0, NULL);

    (void)state;
    assert_int_equal(read_text(str_lit(text), &claims), 0);
    assert_null(claims.tree);
    assert_true(str_equal(jwt_claims_string(&claims, "iss"), str_lit("https://id")));
    assert_true(str_equal(jwt_claims_string(&claims, ""), str_lit("~ ")));
    assert_int_equal(jwt_claims_get(&claims, "exp").integer, 1767225700);
    assert_true(jwt_claims_get(&claims, "exp").number == 1767225700.0);
    assert_int_equal(jwt_claims_get(&claims, "zero").type, JWT_VALUE_NUMBER);
    assert_int_equal(jwt_claims_get(&claims, "most").integer, 999999999999999);
    assert_int_equal(jwt_claims_get(&claims, "nothing").type, JWT_VALUE_OTHER);
    assert_int_equal(jwt_claims_get(&claims, "ex").type, JWT_VALUE_ABSENT);
    assert_null(jwt_claims_string(&claims, "exp").ptr);
    tree = jwt_claims_tree(&claims);
    assert_true(json_equal(tree, expected));
}

/* The same answers, by another way. */
static void other_objects_are_read_as_trees(void **state) {
    static const struct {
        const char *text;
        JwtValueType type;
        double number;
        const char *string;
    } cases[] = {
        {"{\"x\":-1}", JWT_VALUE_NUMBER, -1, NULL},
        {"{\"x\":1.5}", JWT_VALUE_NUMBER, 1.5, NULL},
        {"{\"x\":1e3}", JWT_VALUE_NUMBER, 1000, NULL},
        {"{\"x\":1000000000000000}", JWT_VALUE_NUMBER, 1e15, NULL},
        {"{\"x\":\"a\\u0062\"}", JWT_VALUE_STRING, 0, "ab"},
        {"{\"\\u0078\":\"y\"}", JWT_VALUE_STRING, 0, "y"},
        {"{\"x\":\"\xc3\xa4\"}", JWT_VALUE_STRING, 0, "\xc3\xa4"},
        {"{\"x\":[\"a\"]}", JWT_VALUE_OTHER, 0, NULL},
        {"{\"x\":{\"a\":1}}", JWT_VALUE_OTHER, 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(jwt_claims_done) JwtClaims claims;
        JwtValue value;
        assert_int_equal(read_text(str_from(cases[i].text), &claims), 0);
        assert_non_null(claims.tree);
        value = jwt_claims_get(&claims, "x");
        assert_int_equal(value.type, cases[i].type);
        assert_true(value.number == cases[i].number);
        assert_true(str_equal(value.string, str_from(cases[i].string)));
        assert_int_equal(value.json != NULL, cases[i].type == JWT_VALUE_OTHER);
    }
}

static void more_members_than_fit_are_read_too(void **state) {
    _cleanup_(buf_done) Buf text = BUF_INIT;
    _cleanup_(jwt_claims_done) JwtClaims claims = {0};

    (void)state;
    for (int i = 0; i <= JWT_CLAIMS_FLAT; i++) {
        buf_addf(&text, "%s\"m%d\":%d", i ? "," : "{", i, i);
    }
    buf_addf(&text, "}");
    assert_int_equal(read_text(buf_str(&text), &claims), 0);
    assert_int_equal(jwt_claims_get(&claims, "m24").integer, 24);
}

static void what_is_no_object_is_refused(void **state) {
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "7",
        "\"x\"",
        "null",
        "{}}",
        "{} x",
        "{,}",
        "{\"x\"}",
        "{\"x\":}",
        "{\"x\":1,}",
        "{\"x\":1 \"y\":2}",
        "{\"x\":01}",
        "{\"x\":1x}",
        "{\"x\":truex}",
        "{\"x\":True}",
        "{\"x\":\"a\tb\"}",
        "{\"x\":\"a}",
        "{\"x\":\"\xff\"}",
        "{\"x\":1,\"x\":1}",
        "{\"x\":1,\"\\u0078\":1}",
        "{\"a\":{\"x\":1,\"x\":2}}",
        "{x:1}",
        "{'x':1}",
        "{\"x\":1}//",
        "\xef\xbb\xbf{}",
    };
    JwtClaims claims;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(read_text(str_from(bad[i]), &claims), -EINVAL);
        assert_int_equal(jwt_claims_get(&claims, "x").type, JWT_VALUE_ABSENT);
    }
    assert_int_equal(read_text((Str){"{\"x\":1}\0", 8}, &claims), -EINVAL);
    assert_int_equal(read_text((Str){"{\0\"x\":1}", 8}, &claims), -EINVAL);
    assert_int_equal(jwt_claims_read(str_lit("e30="), &claims), -EINVAL);
    assert_int_equal(jwt_claims_read(str_lit("e31"), &claims), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat_objects_are_read_without_a_tree),
        cmocka_unit_test(other_objects_are_read_as_trees),
        cmocka_unit_test(more_members_than_fit_are_read_too),
        cmocka_unit_test(what_is_no_object_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
