/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Attempts that failed, counted in the cache by account (the hash of an address, whether it has an
 * account or not) and by network address. After a few free ones each further attempt has to wait,
 * twice as long every time. An account's owner is not locked out by strangers for longer than
 * THROTTLE_WAIT_MAX_S.
 *
 * An unreachable cache counts in this process instead: nobody gets in who should not.
 */

#include "base/arena.h"
#include "core/ports/cache.h"

#define THROTTLE_WAIT_MAX_S 900

/* Borrowed: `shared` may be Redis, `local` is in this process. */
typedef struct Throttle {
    Cache *shared, *local;
    uint64_t address_free; /* attempts of THROTTLE_ADDRESS and THROTTLE_DEVICE */
} Throttle;

typedef enum ThrottleKind {
    THROTTLE_ACCOUNT, /* 5 free attempts, remembered for a day */
    THROTTLE_ADDRESS, /* remembered for an hour */
    THROTTLE_MAIL,    /* mails to one address: 3 free ones an hour */
    /* RFC 8628: requests of one network address, as many free ones as of THROTTLE_ADDRESS; and
     * codes that one account has typed, 10 free ones an hour. */
    THROTTLE_DEVICE,
    THROTTLE_USER_CODE,
    _THROTTLE_MAX,
} ThrottleKind;

/*
 * Takes one attempt. 0: it may go on; else so many seconds have to pass first, and the attempt
 * was not counted. `subject` is a hash or an address in text form, of at most 64 bytes.
 */
uint32_t throttle_take(const Throttle *throttle, ThrottleKind kind, Str subject, int64_t now_us);

/* It succeeded: the account's count starts anew. */
void throttle_clear(const Throttle *throttle, ThrottleKind kind, Str subject);
