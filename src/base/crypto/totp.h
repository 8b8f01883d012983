/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Time-based one-time passwords (RFC 6238) with what authenticator apps agree on: HMAC-SHA-1, six
 * digits, steps of 30 s. Thread-safe.
 */

#include "base/str.h"

#define TOTP_SECRET_LEN 20 /* of a new secret: as long as the hash (RFC 4226 4, R6) */
#define TOTP_PERIOD_S   30
#define TOTP_DIGITS     6

enum {
    TOTP_E_WRONG = 1,
};

/* The code of a step (Unix time / TOTP_PERIOD_S) with 6..8 digits, as a number (RFC 4226 5.3). */
uint32_t totp_code(Str secret, uint64_t step, unsigned digits);

/*
 * Compares what was typed (six ASCII digits, nothing else) with the codes of now, one step before
 * and one after, for clocks that differ (RFC 6238 5.2). *ret_step is the step it belongs to: the
 * caller keeps it with the account and refuses a step that is not greater than the last one used,
 * or a code could be used twice. 0, or TOTP_E_WRONG. `now_s`: seconds since 1970, not negative.
 */
int totp_verify(Str secret, Str code, int64_t now_s, uint64_t *ret_step);

/*
 * Appends the URI that an app reads from a QR code (Google Authenticator's key URI format):
 * otpauth://totp/ISSUER:ACCOUNT?secret=...&issuer=...&algorithm=SHA1&digits=6&period=30
 * `issuer` and `account` are UTF-8; issuer holds no ':'.
 */
void totp_uri(Str secret, Str issuer, Str account, Buf *out);
