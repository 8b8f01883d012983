/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity/service_token.h"

#include "base/crypto/jwt.h"
#include "base/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1800000000

/* The keys that the lines of a file hold. */
static MasterKeys *keys_of(const char *lines) {
    char path[] = "/tmp/service-token-XXXXXX";
    int fd = mkstemp(path);
    const char *reason = "";
    MasterKeys *keys = NULL;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, lines, strlen(lines)), strlen(lines));
    close(fd);
    assert_int_equal(master_keys_read_file(path, &keys, &reason), 0);
    unlink(path);
    return keys;
}

#define OLD "old:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
#define NEW "new:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n"

static int verdict(const char *signing, const char *from, const char *to, const char *verifying,
                   int64_t now_s) {
    _cleanup_(master_keys_freep) MasterKeys *ours = keys_of(signing), *theirs = keys_of(verifying);
    _cleanup_(service_signer_freep) ServiceSigner *signer = NULL;
    _cleanup_(service_verifier_freep) ServiceVerifier *verifier = NULL;
    _cleanup_(buf_done) Buf token = BUF_INIT;

    assert_int_equal(service_signer_new(ours, from, to, &signer), 0);
    assert_int_equal(service_verifier_new(theirs, SERVICE_IMAGE, SERVICE_USER, &verifier), 0);
    assert_int_equal(service_token_sign(signer, NOW, &token), 0);
    return service_token_verify(verifier, buf_str(&token), now_s);
}

static void a_callers_own_is_good_while_it_lives(void **state) {
    (void)state;
    assert_int_equal(verdict(OLD, SERVICE_IMAGE, SERVICE_USER, OLD, NOW), 0);
    assert_int_equal(verdict(OLD, SERVICE_IMAGE, SERVICE_USER, OLD, NOW + SERVICE_TOKEN_TTL_S), 0);
    assert_int_equal(verdict(OLD, SERVICE_IMAGE, SERVICE_USER, OLD,
                             NOW + SERVICE_TOKEN_TTL_S + SERVICE_TOKEN_LEEWAY_S + 1),
                     SERVICE_TOKEN_E_INVALID);
    assert_int_equal(
        verdict(OLD, SERVICE_IMAGE, SERVICE_USER, OLD, NOW - SERVICE_TOKEN_LEEWAY_S - 1),
        SERVICE_TOKEN_E_INVALID);
}

static void others_are_not(void **state) {
    (void)state;
    assert_int_equal(verdict(OLD, SERVICE_USER, SERVICE_USER, OLD, NOW), SERVICE_TOKEN_E_INVALID);
    assert_int_equal(verdict(OLD, SERVICE_IMAGE, SERVICE_IMAGE, OLD, NOW), SERVICE_TOKEN_E_INVALID);
    assert_int_equal(verdict(NEW, SERVICE_IMAGE, SERVICE_USER, OLD, NOW), SERVICE_TOKEN_E_INVALID);
}

static void keys_are_changed_by_adding_a_line(void **state) {
    (void)state;
    assert_int_equal(verdict(OLD, SERVICE_IMAGE, SERVICE_USER, OLD NEW, NOW), 0);
    assert_int_equal(verdict(OLD NEW, SERVICE_IMAGE, SERVICE_USER, NEW, NOW), 0);
    assert_int_equal(verdict(OLD NEW, SERVICE_IMAGE, SERVICE_USER, OLD, NOW),
                     SERVICE_TOKEN_E_INVALID);
}

/* By whoever holds the key: `claims` and `typ` as given. */
static int claimed(const char *typ, int iat, int exp) {
    _cleanup_(master_keys_freep) MasterKeys *keys = keys_of(OLD);
    _cleanup_(service_verifier_freep) ServiceVerifier *verifier = NULL;
    _cleanup_(json_decrefp) json_t *claims = json_pack("{s:s,s:s,s:i,s:i}", "iss", SERVICE_IMAGE,
                                                       "aud", SERVICE_USER, "iat", iat, "exp", exp);
    _cleanup_(buf_done) Buf token = BUF_INIT;
    _cleanup_(jwk_unrefp) Jwk *key = NULL;
    uint8_t seed[JWK_SEED_LEN];

    assert_int_equal(
        master_keys_derive(keys, str_lit("old"), str_lit("imagesync service token of image"), seed),
        0);
    assert_int_equal(jwk_from_seed(seed, &key), 0);
    if (iat == 0) {
        json_object_del(claims, "iat");
    }
    assert_int_equal(jwt_sign(key, typ, claims, &token), 0);
    assert_int_equal(service_verifier_new(keys, SERVICE_IMAGE, SERVICE_USER, &verifier), 0);
    return service_token_verify(verifier, buf_str(&token), NOW);
}

static void it_is_short_lived_and_of_its_own_kind(void **state) {
    (void)state;
    assert_int_equal(claimed("service+jwt", NOW, NOW + 60), 0);
    assert_int_equal(claimed("service+jwt", NOW, NOW + 61), SERVICE_TOKEN_E_INVALID);
    assert_int_equal(claimed("service+jwt", 0, NOW + 30), SERVICE_TOKEN_E_INVALID);
    assert_int_equal(claimed("at+jwt", NOW, NOW + 30), SERVICE_TOKEN_E_INVALID);
    assert_int_equal(claimed("JWT", NOW, NOW + 30), SERVICE_TOKEN_E_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callers_own_is_good_while_it_lives),
        cmocka_unit_test(others_are_not),
        cmocka_unit_test(keys_are_changed_by_adding_a_line),
        cmocka_unit_test(it_is_short_lived_and_of_its_own_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
