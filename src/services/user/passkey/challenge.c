/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/passkey/challenge.h"

#include "base/crypto/base64url.h"
#include "base/crypto/random.h"

#define NONCE_LEN 16

typedef struct Parts {
    uint8_t nonce[NONCE_LEN];
    Uuid subject;
    int64_t expires_us;
    uint8_t mac[DIGEST_LEN];
} Parts;
_Static_assert(sizeof(Parts) == 72, "no padding: it is what the text encodes");

static void make_mac(const uint8_t *key, ChallengePurpose purpose, Str binding, const Parts *parts,
                     uint8_t ret_mac[DIGEST_LEN]) {
    _cleanup_(buf_done) Buf bytes = BUF_INIT;
    uint8_t what = (uint8_t)purpose;

    buf_add(&bytes, &what, 1);
    buf_add(&bytes, parts, offsetof(Parts, mac));
    buf_add_str(&bytes, binding); /* last, as all before it are of fixed length */
    digest_hmac((Str){(const char *)key, CHALLENGE_KEY_LEN}, buf_str(&bytes), ret_mac);
}

void challenge_new(const uint8_t key[CHALLENGE_KEY_LEN], ChallengePurpose purpose,
                   const Uuid *subject, Str binding, int64_t now_us,
                   char ret_text[CHALLENGE_LEN + 1]) {
    Parts parts = {.subject = *subject, .expires_us = now_us + CHALLENGE_LIFE_S * 1000000LL};
    _cleanup_(buf_done) Buf text = BUF_INIT;

    random_bytes(parts.nonce, sizeof(parts.nonce));
    make_mac(key, purpose, binding, &parts, parts.mac);
    base64url_encode((Str){(const char *)&parts, sizeof(parts)}, &text);
    memcpy(ret_text, text.data, CHALLENGE_LEN + 1);
}

int challenge_open(const uint8_t key[CHALLENGE_KEY_LEN], ChallengePurpose purpose, Str binding,
                   Str text, int64_t now_us, Challenge *ret_challenge) {
    uint8_t mac[DIGEST_LEN];
    Parts parts;

    if (base64url_decode_fixed(text, (uint8_t *)&parts, sizeof(parts)) < 0) {
        return CHALLENGE_E_BAD;
    }
    make_mac(key, purpose, binding, &parts, mac);
    if (!digest_equal(mac, parts.mac, sizeof(mac)) || parts.expires_us <= now_us) {
        return CHALLENGE_E_BAD;
    }
    ret_challenge->subject = parts.subject;
    ret_challenge->expires_us = parts.expires_us;
    digest_sha256((Str){(const char *)&parts, sizeof(parts)}, ret_challenge->hash);
    return 0;
}
