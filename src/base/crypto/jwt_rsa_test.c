/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tokens that are signed with RSA, as most issuers do, and what is passed off as one: made with the
 * Python package cryptography, under one key of 2048 bits. That of the RFC is in jwt_test.c.
 */

#include "base/crypto/jwt.h"
#include "base/test.h"

#define NOW 1767225600

static const char modulus[] =
    "1aV_1LPkuF0d83LNWeF_H_uyKvvKagdoHDRdFmjcm9LuVJj4ZPd9iaaw5Y6k_Hk5LcNT2jIXYmRNjyWV"
    "9VJtxT2DcC83rS6B2rc5cG_rg9BAfz_3eIwQeGooGV6JZXvdkXZ-KurjAnz6_G2EB4YUSmBgokukdUAe"
    "yxQjFO2b8GOFxg_H2EWMDlwGumAkPDOYfaqmuosrLumJplDLzKR7yBhD0-l4wGNkHAal698bvCu6d82O"
    "UXRI3OswPVeBZmL-gsUT1F4Vja6SgqRhvUl-3S0f7yNDUoawFbd6OQOEStEoIfq8jEyKYt-IOulZtX8u"
    "cLVLw3LcEJs8e-gLFc9OKw";
static const char rs256[] =
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3NjcyMjkyMDB9.hBbbI4IXvoKPl0cFbO"
    "ZTbRGDws3ifUvjaq0fkfBnoDrnW2_DiXf3n16tCuAoixUWDnEIwnRBS6MnpupP_M-UULrRq7Rzw3qPjS"
    "dXQV9j2i3itWzGgfgH9M8qwQcGPR2HBgkMLhtyTSlAblsCn0AbQ7Uj0YAQEQGnuHyEKlTX2HKgJrPX3e"
    "vKMlfXr8Aues5MUz2gmYCJLxUW6uQ8LucdN242bFJQE2fCY3IeuhwtELn__Njat0pmWoBPyPPlAeG9WX"
    "6k-iAGwfFu712KI-tjjPK3SSH9nXWLxbW2CJVm7u5VBuoM3wo8vnVnQOQsIBeN9_banYI4gQQgd2J_P1"
    "Y4iA";
static const char ps256[] =
    "eyJhbGciOiJQUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3NjcyMjkyMDB9.uKP2rGJ7ri299yJwpB"
    "0xngRiWpaWgUjih_JUeUPyHkCa0F9OGgIUwhjqf4wpNe_nrNlEfs1TJidmxnHg17IfK6nD1EDPMYCsF6"
    "VPBBClkP_BW5cyu5FQeYfINTIos15Q5lMy6zPCwSFu4hAcZNp1ff6CoVuB__FRlqExiY0cvT2oa0isWi"
    "mVLpRcC-bLYDl99byBHpg6y7omcwEopcNf9js9FxEJSrwHYWHEHKY_SEptIAYddy6nZxfYkLB_njWE7k"
    "csLU3tX2P9HLMf0CAL-mSDcBLmr5Ou9GBtVLG1_y33m1WBf0YyLHQXyaBDiFcqLn4tJkyQ3umPXzUt-3"
    "fE-w";
static const char ps256_long_salt[] =
    "eyJhbGciOiJQUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3NjcyMjkyMDB9.eX5L88aRdWgHLzsgX-"
    "4ztw3-FKJocAYKvCkLAyvtSSGeSRohd4bDW8lJxwl2b4lNCn6Ez2ytn-OlMRgXa8J8IX9SliULRwpAsa"
    "UJT8BACkjeu_dngsJJffgHgeXQdhLGmktcQn4EAiCJEOPMffvGmQH9HvRtBwf87Oqcf2VWYi0OrK7bFx"
    "P3jJiNe0NO4EBvwxk0Wfw3YxDrepTneR1gw30CYiwvV0saHDSx1SZQaJxCttAy73ausiDY9UCAWzlLU_"
    "CiHdB1S-SVO8ZL_YPITS6kPvwV_OQ8JKDYeVNZoYcO8gJy7TyXSO9F_lVY3_qPxk1j298aYqWe7Lznz_"
    "TDzw";
static const char rs256_signed_as_ps256[] =
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3NjcyMjkyMDB9.p0v0CkPIv4YIdjcaeJ"
    "9siVonq027JW8LNOdeyudUEGU-pq31i4VppLKkL_AVtwjqz6eWEQqZzsURyO6RgZezVxyU3t4RdbI0qy"
    "-Hr-ZRJvFeLabV9-HuEFTR6OUYWUngMyVqfsfBbaAthp4UFgkvNUDInm_8NlWSe6FBrVwNJi0KVGqu-4"
    "0D4zwpaR5PbvG-XSDJ61khEExWCytHqMDsoePZ_fdRbn86rEN1jjvSI3oXHMdwd8gTjxH9wDwiCR5Ogf"
    "sgYe4p_3DtmEDezTOBoJuIL67M9D-75vQkZr4jcERRI6xu4kLwZlpxEc5JPRghG1X5dBguC-W5x0b93L"
    "0itg";
static const char ps256_signed_as_rs256[] =
    "eyJhbGciOiJQUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3NjcyMjkyMDB9.PgHREsa7nOQUMi8sVK"
    "ovxesWurqL3Hqyl8o0ygL85-LFOxcGb2-Xk10NpM2ZMh-VW_ixuORljrKqxDh6iT190ZN5CK8UhwwKIO"
    "79jVuz5Fd3GAl1-782j7nu-wHT2XQ3Sh_C9Qlm0uR3kDhTBh__IMCNr_sGojq8HaxN2yI1GJ9h1w1n-c"
    "7-Bq7Qw0z5AkcWhJp5zhKmuCc5DQfuNHwrPY3bpT1K5GDyZgXkJ7CIFZ-ypqs63TGCIt0i-MtkaZhNvk"
    "mFj7l5G0F3mCkxc19ZB43JV3aVkLGtRk5rHh7inhoJLZu799Ms1TSM51tcZ33fg37DshJNybUC_l1tw9"
    "2-Yg";
static const char hs256_under_pem[] =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3NjcyMjkyMDB9.A4WIrqh5VHMx2yQfgU"
    "sk0Nv6OAs07W4bozGdAgLO0k0";
static const char hs256_under_modulus[] =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3NjcyMjkyMDB9.n7umayBDFENUL-MbGF"
    "bRUtnFRSgcX5Zp63mbPenlLmI";
static const char rs256_hmac_under_pem[] =
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3NjcyMjkyMDB9.PZg0QBX4oYuWQ9NsAD"
    "33Lz9UwDihOf3FS8se-TGVsvk";
static const char none[] = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJleHAiOjE3NjcyMjkyMDB9.";

static const JwtExpect expect = {.now_s = NOW};

/* A set with the key, which says that it is for `alg`; "": for none in particular. */
static Jwks *set_of(const char *alg) {
    _cleanup_(buf_done) Buf text = BUF_INIT;
    Jwks *keys = NULL;

    buf_addf(&text, "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"%s%s%s}]}", modulus,
             alg[0] ? ",\"alg\":\"" : "", alg, alg[0] ? "\"" : "");
    assert_int_equal(jwks_read(buf_str(&text), &keys), 0);
    return keys;
}

static int verify(const Jwks *keys, const char *token) {
    json_t *claims = NULL;
    int r = jwt_verify(str_from(token), keys, &expect, &claims);

    if (r == 0) {
        assert_string_equal(json_string_value(json_object_get(claims, "sub")), "ada");
    } else {
        assert_null(claims);
    }
    json_decref(claims);
    return r;
}

static void an_rsa_key_has_one_algorithm(void **state) {
    _cleanup_(jwks_freep) Jwks *any = set_of(""), *rs = set_of("RS256"), *ps = set_of("PS256");

    (void)state;
    assert_int_equal(verify(any, rs256), 0);
    assert_int_equal(verify(rs, rs256), 0);
    assert_int_equal(verify(ps, ps256), 0);
    assert_int_equal(verify(any, ps256), JWT_E_ALGORITHM);
    assert_int_equal(verify(rs, ps256), JWT_E_ALGORITHM);
    assert_int_equal(verify(ps, rs256), JWT_E_ALGORITHM);
    assert_int_equal(verify(rs, rs256_signed_as_ps256), JWT_E_SIGNATURE);
    assert_int_equal(verify(ps, ps256_signed_as_rs256), JWT_E_SIGNATURE);
    /* RFC 7518 3.5: the salt is as long as the hash. */
    assert_int_equal(verify(ps, ps256_long_salt), JWT_E_SIGNATURE);
}

/* What everybody has of the key is no secret to make a MAC with. */
static void a_public_key_is_no_hmac_secret(void **state) {
    const char *const algs[] = {"", "RS256", "PS256"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        _cleanup_(jwks_freep) Jwks *keys = set_of(algs[i]);
        assert_int_equal(verify(keys, hs256_under_pem), JWT_E_ALGORITHM);
        assert_int_equal(verify(keys, hs256_under_modulus), JWT_E_ALGORITHM);
        assert_int_equal(verify(keys, none), JWT_E_ALGORITHM);
        assert_int_not_equal(verify(keys, rs256_hmac_under_pem), 0);
    }
}

static void other_uses_of_an_rsa_key_are_left_out(void **state) {
    static const char *const algs[] = {"RS384", "RS512", "PS384", "PS512", "RSA-OAEP", "HS256"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        _cleanup_(jwks_freep) Jwks *keys = set_of(algs[i]);
        assert_null(jwks_only(keys));
        assert_int_equal(verify(keys, rs256), JWT_E_UNKNOWN_KEY);
    }
}

static void what_was_changed_is_forged(void **state) {
    _cleanup_(jwks_freep) Jwks *keys = set_of("PS256");
    char changed[sizeof(ps256)];

    (void)state;
    memcpy(changed, ps256, sizeof(ps256));
    changed[sizeof(ps256) - 100] ^= 1;
    assert_int_not_equal(verify(keys, changed), 0);
    changed[sizeof(ps256) - 100] ^= 1;
    assert_int_equal(verify(keys, changed), 0);
    changed[sizeof(ps256) - 5] = '\0';
    assert_int_not_equal(verify(keys, changed), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_rsa_key_has_one_algorithm),
        cmocka_unit_test(a_public_key_is_no_hmac_secret),
        cmocka_unit_test(other_uses_of_an_rsa_key_are_left_out),
        cmocka_unit_test(what_was_changed_is_forged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
