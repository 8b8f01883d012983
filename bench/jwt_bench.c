/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `jwt_bench es256|eddsa SECONDS` prints what can be done in a second of processor time: whole
 * verifications of an access token, signings, and verifications of one that was verified before.
 * bench/jwt.py sets the first two beside OpenSSL's own.
 */
#include "base/crypto/jwt.h"
#include "core/identity/access_token.h"

#include <stdio.h>
#include <time.h>

#define NOW 1767225600

/* Processor time, which is what `openssl speed` counts: neighbours on the machine do not matter. */
static uint64_t cpu_us(void) {
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static json_t *claims_new(void) {
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s}", "iss",
                     "https://id.example.com", "aud", "https://api.example.com", "sub",
                     "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "iat", (json_int_t)NOW, "exp",
                     (json_int_t)NOW + 300, "jti", "017f22e2-79b0-7cc3-98c4-dc0c0c073990", "scope",
                     "openid profile account", "client_id", "web", "grant",
                     "017f22e2-79b0-7cc3-98c4-dc0c0c073991");
}

typedef struct Bench {
    Jwk *key;
    Jwks *keys;
    json_t *claims;
    Buf token;
    AccessVerifier *verifier;
} Bench;

static bool verify(Bench *bench) {
    static const JwtExpect expect = {"at+jwt", "https://id.example.com", "https://api.example.com",
                                     NOW + 60, 5};
    _cleanup_(jwt_claims_done) JwtClaims claims;

    return jwt_verify_flat(buf_str(&bench->token), bench->keys, &expect, &claims) == 0;
}

static bool sign(Bench *bench) {
    _cleanup_(buf_done) Buf out = BUF_INIT;

    return jwt_sign(bench->key, "at+jwt", bench->claims, &out) == 0;
}

static bool verify_again(Bench *bench) {
    AccessToken token;

    return access_verify(bench->verifier, buf_str(&bench->token), NOW + 60, &token) == 0;
}

/* How often a second; negative when it went wrong. */
static double rate(bool (*work)(Bench *bench), Bench *bench, uint64_t seconds) {
    uint64_t start = cpu_us(), us, done = 0;

    do {
        for (int i = 0; i < 64; i++, done++) {
            if (!work(bench)) {
                return -1;
            }
        }
        us = cpu_us() - start;
    } while (us < seconds * 1000000);
    return (double)done * 1e6 / (double)us;
}

static void bench_done(Bench *bench) {
    access_verifier_free(bench->verifier);
    buf_done(&bench->token);
    json_decref(bench->claims);
    jwks_free(bench->keys);
    jwk_unref(bench->key);
}

static bool prepare(JwkAlg alg, Bench *bench) {
    Jwks *keys = jwks_new();
    bool good = jwk_generate(alg, &bench->key) == 0 && jwks_add(bench->keys, bench->key) == 0 &&
                jwks_add(keys, bench->key) == 0 &&
                jwt_sign(bench->key, "at+jwt", bench->claims, &bench->token) == 0;

    access_verifier_set_keys(bench->verifier, keys);
    return good;
}

int main(int argc, char **argv) {
    _cleanup_(bench_done) Bench bench = {
        .keys = jwks_new(),
        .claims = claims_new(),
        .verifier = access_verifier_new("https://id.example.com", "https://api.example.com")};
    double verified, signed_tokens, again;
    uint64_t seconds;

    if (argc != 3 || str_to_u64(str_from(argv[2]), &seconds) < 0 || seconds < 1 || seconds > 600) {
        fprintf(stderr, "usage: jwt_bench es256|eddsa SECONDS\n");
        return 2;
    }
    if (!prepare(strcmp(argv[1], "eddsa") == 0 ? JWK_ALG_EDDSA : JWK_ALG_ES256, &bench)) {
        return 1;
    }
    verified = rate(verify, &bench, seconds);
    signed_tokens = rate(sign, &bench, seconds);
    again = rate(verify_again, &bench, seconds);
    printf("%.0f %.0f %.0f\n", verified, signed_tokens, again);
    return verified < 0 || signed_tokens < 0 || again < 0;
}
