/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole verifications of access tokens a second, nothing cached: `jwt_bench es256|eddsa SECONDS`
 * prints verifications and signings a second of processor time. bench/jwt.py sets them beside
 * OpenSSL's own.
 */
#include "base/crypto/jwt.h"

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
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s}", "iss", "https://id.example.com",
                     "aud", "https://api.example.com", "sub",
                     "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "iat", (json_int_t)NOW, "exp",
                     (json_int_t)NOW + 300, "jti", "017f22e2-79b0-7cc3-98c4-dc0c0c073990", "scope",
                     "openid profile photos", "client_id", "web");
}

static bool verify(const Buf *token, const Jwks *keys) {
    static const JwtExpect expect = {"at+jwt", "https://id.example.com", "https://api.example.com",
                                     NOW + 60, 5};
    json_t *claims = NULL;
    int r = jwt_verify(buf_str(token), keys, &expect, &claims);

    json_decref(claims);
    return r == 0;
}

int main(int argc, char **argv) {
    _cleanup_(jwk_unrefp) Jwk *key = NULL;
    _cleanup_(jwks_freep) Jwks *keys = jwks_new();
    _cleanup_(json_decrefp) json_t *claims = claims_new();
    _cleanup_(buf_done) Buf token = BUF_INIT;
    uint64_t seconds, start, us, verified = 0, signed_tokens = 0;

    if (argc != 3 || str_to_u64(str_from(argv[2]), &seconds) < 0 || seconds < 1 || seconds > 600) {
        fprintf(stderr, "usage: jwt_bench es256|eddsa SECONDS\n");
        return 2;
    }
    if (jwk_generate(strcmp(argv[1], "eddsa") == 0 ? JWK_ALG_EDDSA : JWK_ALG_ES256, &key) < 0 ||
        jwks_add(keys, key) != 0 || jwt_sign(key, "at+jwt", claims, &token) < 0) {
        return 1;
    }
    start = cpu_us();
    do {
        for (int i = 0; i < 64; i++, verified++) {
            if (!verify(&token, keys)) {
                return 1;
            }
        }
        us = cpu_us() - start;
    } while (us < seconds * 1000000);
    printf("%.0f ", (double)verified * 1e6 / (double)us);
    start = cpu_us();
    do {
        for (int i = 0; i < 64; i++, signed_tokens++) {
            _cleanup_(buf_done) Buf out = BUF_INIT;
            if (jwt_sign(key, "at+jwt", claims, &out) < 0) {
                return 1;
            }
        }
        us = cpu_us() - start;
    } while (us < seconds * 1000000);
    printf("%.0f\n", (double)signed_tokens * 1e6 / (double)us);
    return 0;
}
