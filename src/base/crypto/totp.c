/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/totp.h"

#include "base/crypto/base32.h"
#include "base/crypto/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#define SHA1_LEN 20

uint32_t totp_code(Str secret, uint64_t step, unsigned digits) {
    static const uint32_t powers[] = {1000000, 10000000, 100000000};
    uint8_t counter[8], mac[SHA1_LEN];
    unsigned len = 0, at;

    assert(digits >= 6 && digits <= 8);
    for (unsigned i = 0; i < 8; i++) {
        counter[i] = (uint8_t)(step >> (56 - 8 * i));
    }
    if (!HMAC(EVP_sha1(), secret.ptr, (int)secret.len, counter, sizeof(counter), mac, &len) ||
        len != SHA1_LEN) {
        abort();
    }
    at = mac[SHA1_LEN - 1] & 15;
    return (((uint32_t)mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
            (uint32_t)mac[at + 2] << 8 | mac[at + 3]) %
           powers[digits - 6];
}

int totp_verify(Str secret, Str code, int64_t now_s, uint64_t *ret_step) {
    uint64_t now = (uint64_t)now_s / TOTP_PERIOD_S, found = 0;
    bool matched = false;

    assert(now_s >= 0);
    if (code.len != TOTP_DIGITS) {
        return TOTP_E_WRONG;
    }
    /* All three are compared, whichever matches. */
    for (uint64_t step = now > 0 ? now - 1 : 0; step <= now + 1; step++) {
        char expected[16];
        snprintf(expected, sizeof(expected), "%06u", totp_code(secret, step, TOTP_DIGITS));
        if (digest_equal(expected, code.ptr, TOTP_DIGITS)) {
            matched = true;
            found = step;
        }
    }
    if (!matched) {
        return TOTP_E_WRONG;
    }
    *ret_step = found;
    return 0;
}

/* Percent-encoding of all but unreserved characters (RFC 3986 2.3). */
static void add_encoded(Str text, Buf *out) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~') {
            buf_add(out, &c, 1);
        } else {
            buf_addf(out, "%%%02X", c);
        }
    }
}

void totp_uri(Str secret, Str issuer, Str account, Buf *out) {
    buf_add_str(out, str_lit("otpauth://totp/"));
    add_encoded(issuer, out);
    buf_add_str(out, str_lit(":"));
    add_encoded(account, out);
    buf_add_str(out, str_lit("?secret="));
    base32_encode(secret, out);
    buf_add_str(out, str_lit("&issuer="));
    add_encoded(issuer, out);
    buf_addf(out, "&algorithm=SHA1&digits=%d&period=%d", TOTP_DIGITS, TOTP_PERIOD_S);
}
