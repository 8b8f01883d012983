/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Attempts, counted in the cache. After a few free ones each further attempt has to wait, twice as
 * long every time, ATTEMPT_WAIT_MAX_S at most. What is tried at an account is counted apart for
 * each network that its owner has signed in from lately, and in one sum for everybody else: so
 * strangers who hammer at it do not keep its owner out at home.
 *
 * The cache's keys and values hold keyed hashes and numbers: whoever reads it learns neither
 * addresses nor accounts. While it cannot be reached, this process counts alone: nobody gets in who
 * should not. Thread-safe; calls block for at most the cache's time-out.
 */

#include "core/ports/cache.h"

#define ATTEMPT_WAIT_MAX_S   900
#define ATTEMPT_NETWORKS_MAX 8  /* networks that are remembered of one account */
#define ATTEMPT_NETWORK_DAYS 30 /* since somebody last signed in to it from any of them */

typedef struct AttemptCounts AttemptCounts;

typedef enum AttemptKind {
    ATTEMPT_NETWORK,   /* whatever one network tries: per_network free ones an hour */
    ATTEMPT_PASSWORD,  /* passwords of one account: 5 free ones a day */
    ATTEMPT_CODE,      /* codes of one account's second factor: 5 free ones a day */
    ATTEMPT_MAIL,      /* mails to one address: 3 free ones an hour */
    ATTEMPT_DEVICE,    /* device codes asked for by one network (RFC 8628): as ATTEMPT_NETWORK */
    ATTEMPT_USER_CODE, /* such codes typed by one account: 10 free ones an hour */
    _ATTEMPT_KIND_MAX,
} AttemptKind;

/*
 * `key_material` is 32 bytes at least, of which a key of its own is derived. The caches are
 * borrowed: `shared` may be Redis, `local` is in this process; they may be the same.
 */
AttemptCounts *attempt_counts_new(Cache *shared, Cache *local, uint64_t per_network,
                                  Str key_material);
AttemptCounts *attempt_counts_free(AttemptCounts *counts); /* accepts NULL */
DEFINE_CLEANUP(AttemptCounts *, attempt_counts_free)

/*
 * Takes one attempt of what a network does (ATTEMPT_NETWORK, ATTEMPT_DEVICE). 0: it may go on; else
 * so many seconds have to pass first, 1..ATTEMPT_WAIT_MAX_S, and it was not counted. `address` is a
 * numeric IPv4 or IPv6 address; IPv6 is counted by /64, which is what one subscriber has (RFC 6177,
 * section 2).
 */
uint32_t attempt_counts_take_network(AttemptCounts *counts, AttemptKind kind, const char *address,
                                     int64_t now_us);

/* The same at an account (the other kinds), from there. `account` is any text that stands for one
 * and for no other, whether it exists or not. */
uint32_t attempt_counts_take(AttemptCounts *counts, AttemptKind kind, Str account,
                             const char *address, int64_t now_us);

/*
 * The account's owner has signed in from there: passwords and codes are counted anew, for those
 * whom the attempt was counted with, and the network is remembered as theirs. Best effort.
 */
void attempt_counts_succeeded(AttemptCounts *counts, Str account, const char *address);
