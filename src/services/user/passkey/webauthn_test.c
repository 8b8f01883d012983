/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/passkey/webauthn.h"

#include "base/test.h"
#include "services/user/passkey/authenticator_testing.h"
#include "services/user/passkey/challenge.h"

#include <errno.h>
#include <stdlib.h>

static const WebauthnParty party = {"photos.example.com", "https://photos.example.com"};
static const WebauthnParty other = {"example.org", "https://example.org"};
static const int algs[] = {SOFT_ES256, SOFT_EDDSA, SOFT_RS256};

/* One authenticator and what it says, taken apart so that a test can change a piece. */
typedef struct Fixture {
    Arena *arena;
    SoftKey key;
    const char *rp_id, *origin, *type;
    bool packed;
    Buf client_data, auth_data, signature, attestation;
    WebauthnCredential credential;
    const char *error;
} Fixture;

static Fixture make(int alg) {
    return (Fixture){
        .arena = arena_new(), .key = soft_key_new(alg), .rp_id = party.id, .origin = party.origin};
}

static void done(Fixture *f) {
    soft_key_done(&f->key);
    buf_done(&f->client_data);
    buf_done(&f->auth_data);
    buf_done(&f->signature);
    buf_done(&f->attestation);
    arena_free(f->arena);
}

static int judge_registration(Fixture *f) {
    return webauthn_register(&party, buf_str(&f->client_data), buf_str(&f->attestation), f->arena,
                             &f->credential, &f->error);
}

static void create(Fixture *f) {
    buf_done(&f->client_data);
    buf_done(&f->auth_data);
    buf_done(&f->signature);
    buf_done(&f->attestation);
    soft_client_data("webauthn.create", "AAAA", f->origin, "", &f->client_data);
    soft_auth_data(&f->key, f->rp_id, true, &f->auth_data);
    if (f->packed) {
        soft_sign(&f->key, buf_str(&f->auth_data), buf_str(&f->client_data), &f->signature);
    }
    soft_attestation(f->key.alg, buf_str(&f->auth_data), buf_str(&f->signature), &f->attestation);
}

static int registered(Fixture *f) {
    create(f);
    return judge_registration(f);
}

static int judge_assertion(Fixture *f) {
    uint32_t count = UINT32_MAX;
    int r = webauthn_assert(&party, &f->credential, buf_str(&f->client_data),
                            buf_str(&f->auth_data), buf_str(&f->signature), &count, &f->error);

    if (r == 0) {
        assert_int_equal(count, f->key.count);
    }
    return r;
}

static void get(Fixture *f) {
    buf_done(&f->client_data);
    buf_done(&f->auth_data);
    buf_done(&f->signature);
    soft_client_data("webauthn.get", "AAAA", f->origin, "", &f->client_data);
    soft_auth_data(&f->key, f->rp_id, false, &f->auth_data);
    soft_sign(&f->key, buf_str(&f->auth_data), buf_str(&f->client_data), &f->signature);
}

static int asserted(Fixture *f) {
    get(f);
    return judge_assertion(f);
}

static void test_registers_and_asserts_with_every_algorithm(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        for (int packed = 0; packed < 2; packed++) {
            Fixture f = make(algs[i]);
            f.packed = packed;
            f.key.count = 7;
            assert_int_equal(registered(&f), 0);
            assert_int_equal(f.credential.alg, algs[i]);
            assert_int_equal(f.credential.sign_count, 7);
            assert_int_equal(f.credential.id.len, SOFT_ID_LEN);
            assert_memory_equal(f.credential.id.ptr, f.key.id, SOFT_ID_LEN);
            f.key.count = 8;
            assert_int_equal(asserted(&f), 0);
            done(&f);
        }
    }
}

static void test_refuses_what_was_made_for_another_site(void **state) {
    Fixture f = make(SOFT_ES256);

    (void)state;
    f.rp_id = other.id;
    assert_int_equal(registered(&f), WEBAUTHN_E_INVALID);
    f.rp_id = party.id;
    assert_int_equal(registered(&f), 0);
    f.rp_id = other.id;
    assert_int_equal(asserted(&f), WEBAUTHN_E_INVALID);
    done(&f);
}

static void test_wants_the_user_present_and_verified(void **state) {
    static const uint8_t flags[] = {0, SOFT_UP, SOFT_UV};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        for (int packed = 0; packed < 2; packed++) {
            Fixture f = make(SOFT_ES256);
            f.packed = packed;
            f.key.flags = flags[i];
            assert_int_equal(registered(&f), WEBAUTHN_E_INVALID);
            f.key.flags = SOFT_UP | SOFT_UV;
            assert_int_equal(registered(&f), 0);
            f.key.flags = flags[i];
            assert_int_equal(asserted(&f), WEBAUTHN_E_INVALID);
            done(&f);
        }
    }
}

static void test_refuses_wrong_signatures(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        Fixture f = make(algs[i]);
        SoftKey right = f.key, stranger = soft_key_new(algs[i]);

        f.packed = true;
        create(&f);
        /* Another challenge than the one that was signed. */
        buf_done(&f.client_data);
        soft_client_data("webauthn.create", "BBBB", f.origin, "", &f.client_data);
        assert_int_equal(judge_registration(&f), WEBAUTHN_E_INVALID);
        assert_int_equal(registered(&f), 0);

        f.key = stranger;
        assert_int_equal(asserted(&f), WEBAUTHN_E_INVALID);
        f.key = right;
        get(&f);
        f.signature.data[f.signature.len / 2] ^= 1;
        assert_int_equal(judge_assertion(&f), WEBAUTHN_E_INVALID);
        get(&f);
        f.auth_data.data[36] ^= 1; /* the count */
        assert_int_equal(judge_assertion(&f), WEBAUTHN_E_INVALID);
        get(&f);
        f.signature.len--;
        assert_int_equal(judge_assertion(&f), WEBAUTHN_E_INVALID);
        f.signature.len = 0;
        assert_int_equal(judge_assertion(&f), WEBAUTHN_E_INVALID);
        soft_key_done(&stranger);
        done(&f);
    }
}

/* A key is used with its own algorithm only, whatever somebody says. */
static void test_refuses_another_algorithm(void **state) {
    static const int wrong[] = {SOFT_ES256, SOFT_EDDSA, SOFT_RS256, 0, -65535, -35, 5, 7};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        Fixture f = make(algs[i]);
        assert_int_equal(registered(&f), 0);
        get(&f);
        for (size_t j = 0; j < ARRAY_LEN(wrong); j++) {
            f.credential.alg = wrong[j];
            assert_int_equal(judge_assertion(&f), wrong[j] == algs[i] ? 0 : WEBAUTHN_E_INVALID);
        }
        done(&f);
    }
}

/* The first byte after "03" in the COSE key is its algorithm: -7 becomes -8, -257 becomes -65. */
static void test_refuses_a_key_of_another_type_than_its_algorithm(void **state) {
    Fixture f = make(SOFT_ES256);
    char *alg;

    (void)state;
    create(&f);
    alg = memmem(f.attestation.data, f.attestation.len, "\x01\x02\x03\x26", 4);
    assert_non_null(alg);
    alg[3] = 0x27;
    assert_int_equal(judge_registration(&f), WEBAUTHN_E_INVALID);
    alg[3] = 0x20; /* -1: none at all */
    assert_int_equal(judge_registration(&f), WEBAUTHN_E_INVALID);
    done(&f);
}

static void test_refuses_a_point_off_the_curve(void **state) {
    Fixture f = make(SOFT_ES256);

    (void)state;
    create(&f);
    f.attestation.data[f.attestation.len - 1] ^= 1; /* the last byte of Y */
    assert_int_equal(judge_registration(&f), WEBAUTHN_E_INVALID);
    done(&f);
}

static void test_refuses_other_attestations(void **state) {
    Fixture f = make(SOFT_ES256);
    char *at;

    (void)state;
    create(&f);
    at = memmem(f.attestation.data, f.attestation.len, "none", 4);
    at[3] = 'x';
    assert_int_equal(judge_registration(&f), WEBAUTHN_E_INVALID);
    f.packed = true;
    create(&f);
    at = memmem(f.attestation.data, f.attestation.len, "packed", 6);
    memcpy(at, "packet", 6);
    assert_int_equal(judge_registration(&f), WEBAUTHN_E_INVALID);
    done(&f);
}

/* Cut anywhere, or with any one byte changed; a copy of the exact length, for the sanitizer. */
static void test_survives_truncation_and_garbage(void **state) {
    Fixture f = make(SOFT_ES256);
    size_t len;

    (void)state;
    f.packed = true;
    create(&f);
    len = f.attestation.len;
    for (size_t cut = 0; cut < len; cut++) {
        char *exact = malloc(cut + 1);
        memcpy(exact, f.attestation.data, cut);
        assert_int_equal(webauthn_register(&party, buf_str(&f.client_data), (Str){exact, cut},
                                           f.arena, &f.credential, &f.error),
                         WEBAUTHN_E_INVALID);
        free(exact);
    }
    for (size_t at = 0; at < len; at++) {
        f.attestation.data[at] ^= 0x5a;
        assert_int_equal(judge_registration(&f), WEBAUTHN_E_INVALID);
        f.attestation.data[at] ^= 0x5a;
    }
    assert_int_equal(judge_registration(&f), 0);
    get(&f);
    len = f.auth_data.len;
    for (f.auth_data.len = 0; f.auth_data.len < len; f.auth_data.len++) {
        assert_int_equal(judge_assertion(&f), WEBAUTHN_E_INVALID);
    }
    assert_int_equal(judge_assertion(&f), 0);
    done(&f);
}

static int judge_bytes(Fixture *f, Str bytes) {
    return webauthn_register(&party, buf_str(&f->client_data), bytes, f->arena, &f->credential,
                             &f->error);
}

/* Arrays that claim to be huge, nesting without end, a megabyte of anything. */
static void test_refuses_what_would_cost_memory(void **state) {
    static char big[1 << 20];
    static const Str claims[] = {{"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", 9},
                                 {"\xbb\x00\x00\x00\x0f\xff\xff\xff\xff", 9},
                                 {"\x9a\xff\xff\xff\xff", 5},
                                 {"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", 9},
                                 {"\xa3\x63"
                                  "fmt\xba\xff\xff\xff\xff",
                                  10},
                                 {"", 0}};
    Fixture f = make(SOFT_ES256);

    (void)state;
    create(&f);
    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        assert_int_equal(judge_bytes(&f, claims[i]), WEBAUTHN_E_INVALID);
    }
    for (int byte = 0; byte < 256; byte++) {
        memset(big, byte, sizeof(big));
        assert_int_equal(judge_bytes(&f, (Str){big, WEBAUTHN_ATTESTATION_MAX}), WEBAUTHN_E_INVALID);
        assert_int_equal(judge_bytes(&f, (Str){big, sizeof(big)}), WEBAUTHN_E_INVALID);
    }
    assert_int_equal(registered(&f), 0);
    /* Extensions (flag 0x80) of an assertion, with and without the flag of a new credential. */
    for (unsigned attested = 0; attested <= SOFT_ATTESTED; attested += SOFT_ATTESTED) {
        f.key.flags = SOFT_UP | SOFT_UV | 0x80 | (uint8_t)attested;
        get(&f);
        buf_add(&f.auth_data, "\xbb\x00\x00\x00\x0f\xff\xff\xff\xff", 9);
        assert_int_equal(judge_assertion(&f), WEBAUTHN_E_INVALID);
    }
    f.key.flags = SOFT_UP | SOFT_UV;
    get(&f);
    assert_int_equal(webauthn_assert(&party, &f.credential, buf_str(&f.client_data),
                                     (Str){big, sizeof(big)}, buf_str(&f.signature), &(uint32_t){0},
                                     &f.error),
                     WEBAUTHN_E_INVALID);
    assert_int_equal(webauthn_assert(&party, &f.credential, buf_str(&f.client_data),
                                     buf_str(&f.auth_data), (Str){big, sizeof(big)}, &(uint32_t){0},
                                     &f.error),
                     WEBAUTHN_E_INVALID);
    done(&f);
}

static int read_client_data(const char *text, Str *ret_challenge) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *error = NULL;
    Str challenge = {0};
    int r = webauthn_client_data(str_from(text), WEBAUTHN_GET, &party, arena, &challenge, &error);

    assert_true(r == 0 ? challenge.len > 0 : error != NULL);
    ret_challenge->len = challenge.len;
    return r;
}

#define ORIGIN "\"origin\":\"https://photos.example.com\""
#define TYPE   "\"type\":\"webauthn.get\""

static void test_reads_client_data_strictly(void **state) {
    static const char *const good[] = {
        "{" TYPE ",\"challenge\":\"QUJD\"," ORIGIN "}",
        "{" TYPE ",\"challenge\":\"QUJD\"," ORIGIN ",\"crossOrigin\":false,\"new\":{\"a\":[1]}}",
    };
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "null",
        "{" TYPE ",\"challenge\":\"QUJD\"," ORIGIN "} x",
        "{\"type\":\"webauthn.create\",\"challenge\":\"QUJD\"," ORIGIN "}",
        "{\"type\":\"webauthn.get\\u0000\",\"challenge\":\"QUJD\"," ORIGIN "}",
        "{\"challenge\":\"QUJD\"," ORIGIN "}",
        "{" TYPE "," ORIGIN "}",
        "{" TYPE ",\"challenge\":\"\"," ORIGIN "}",
        "{" TYPE ",\"challenge\":1," ORIGIN "}",
        "{" TYPE ",\"challenge\":\"QUJD\"}",
        "{" TYPE ",\"challenge\":\"QUJD\",\"origin\":\"https://evil.example\"}",
        "{" TYPE ",\"challenge\":\"QUJD\",\"origin\":\"http://photos.example.com\"}",
        "{" TYPE ",\"challenge\":\"QUJD\",\"origin\":\"https://photos.example.com:8443\"}",
        "{" TYPE ",\"challenge\":\"QUJD\",\"origin\":\"https://photos.example.com.evil.example\"}",
        "{" TYPE ",\"challenge\":\"QUJD\",\"origin\":\"https://a.photos.example.com\"}",
        "{" TYPE ",\"challenge\":\"QUJD\"," ORIGIN ",\"crossOrigin\":true}",
        "{" TYPE ",\"challenge\":\"QUJD\"," ORIGIN ",\"crossOrigin\":\"false\"}",
        "{" TYPE ",\"challenge\":\"QUJD\"," ORIGIN ",\"topOrigin\":\"https://evil.example\"}",
        "{" TYPE ",\"challenge\":\"QUJD\"," ORIGIN "," ORIGIN "}",
    };
    Str challenge;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(read_client_data(good[i], &challenge), 0);
        assert_int_equal(challenge.len, 4);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (read_client_data(bad[i], &challenge) != WEBAUTHN_E_INVALID) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

static void test_party_is_what_browsers_call_the_public_url(void **state) {
    static const struct {
        const char *url, *id, *origin;
    } rows[] = {
        {"https://photos.example.com", "photos.example.com", "https://photos.example.com"},
        {"https://Photos.Example.com:443", "photos.example.com", "https://photos.example.com"},
        {"http://localhost:8080", "localhost", "http://localhost:8080"},
        {"http://a.example:80/sub", "a.example", "http://a.example"},
        {"http://a.example:443", "a.example", "http://a.example:443"},
        {"http://[::1]:8080", "[::1]", "http://[::1]:8080"},
        {"ftp://a.example", NULL, NULL},
        {"https://", NULL, NULL},
        {"https://:8443", NULL, NULL},
        {"", NULL, NULL},
    };
    Arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        WebauthnParty made = {0};
        int r = webauthn_party_of(rows[i].url, arena, &made);
        assert_int_equal(r, rows[i].id ? 0 : -EINVAL);
        if (r == 0) {
            assert_string_equal(made.id, rows[i].id);
            assert_string_equal(made.origin, rows[i].origin);
        }
    }
    arena_free(arena);
}

static void test_counts_go_up_or_stay_nought(void **state) {
    (void)state;
    assert_true(webauthn_count_follows(0, 0));
    assert_true(webauthn_count_follows(0, 1));
    assert_true(webauthn_count_follows(7, 9));
    assert_false(webauthn_count_follows(7, 7));
    assert_false(webauthn_count_follows(7, 6));
    assert_false(webauthn_count_follows(7, 0));
}

static void test_a_challenge_is_good_for_what_it_was_made_for(void **state) {
    static const uint8_t key[CHALLENGE_KEY_LEN] = {1}, another[CHALLENGE_KEY_LEN] = {2};
    const int64_t now = 1700000000000000, life = CHALLENGE_LIFE_S * 1000000LL;
    Str session = str_lit("session");
    Uuid user = uuid_new();
    char text[CHALLENGE_LEN + 1];
    Challenge challenge;

    (void)state;
    challenge_new(key, CHALLENGE_ADD, &user, session, now, text);
    assert_int_equal(
        challenge_open(key, CHALLENGE_ADD, session, str_from(text), now + life - 1, &challenge), 0);
    assert_true(uuid_equal(&challenge.subject, &user));
    assert_int_equal(challenge.expires_us, now + life);
    assert_int_equal(
        challenge_open(key, CHALLENGE_ADD, session, str_from(text), now + life, &challenge),
        CHALLENGE_E_BAD);
    assert_int_equal(
        challenge_open(key, CHALLENGE_SIGN_IN, session, str_from(text), now, &challenge),
        CHALLENGE_E_BAD);
    assert_int_equal(
        challenge_open(key, CHALLENGE_ADD, str_lit("other"), str_from(text), now, &challenge),
        CHALLENGE_E_BAD);
    assert_int_equal(
        challenge_open(another, CHALLENGE_ADD, session, str_from(text), now, &challenge),
        CHALLENGE_E_BAD);
    for (size_t i = 0; i < CHALLENGE_LEN; i++) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(
            challenge_open(key, CHALLENGE_ADD, session, str_from(text), now, &challenge),
            CHALLENGE_E_BAD);
        text[i] = kept;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers_and_asserts_with_every_algorithm),
        cmocka_unit_test(test_refuses_what_was_made_for_another_site),
        cmocka_unit_test(test_wants_the_user_present_and_verified),
        cmocka_unit_test(test_refuses_wrong_signatures),
        cmocka_unit_test(test_refuses_another_algorithm),
        cmocka_unit_test(test_refuses_a_key_of_another_type_than_its_algorithm),
        cmocka_unit_test(test_refuses_a_point_off_the_curve),
        cmocka_unit_test(test_refuses_other_attestations),
        cmocka_unit_test(test_survives_truncation_and_garbage),
        cmocka_unit_test(test_refuses_what_would_cost_memory),
        cmocka_unit_test(test_reads_client_data_strictly),
        cmocka_unit_test(test_party_is_what_browsers_call_the_public_url),
        cmocka_unit_test(test_counts_go_up_or_stay_nought),
        cmocka_unit_test(test_a_challenge_is_good_for_what_it_was_made_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
