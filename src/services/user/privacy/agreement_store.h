/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table user_consent: who agreed to which document of the configuration (agreements.h), or took
 * that back. Rows are added and never changed; the newest of a document is what holds. Calls run in
 * a transaction of the caller's.
 */

#include "services/user/vault.h"

typedef struct Consent {
    Uuid consent_id;
    const char *document, *version;
    bool given; /* false: taken back */
    int64_t at_us;
    const char *address, *agent; /* of who did it; NULL: not known */
} Consent;

enum {
    AGREEMENT_E_NONE = 1,
};

extern const DbStatement agreement_statements[];
extern const size_t agreement_statements_len;

/* consent_id is filled in here. */
int agreement_store_add(DbTx *tx, const UserKey *key, Arena *arena, const Consent *consent);
/* The newest of that document, without address and agent. 0 or AGREEMENT_E_NONE. */
int agreement_store_newest(DbTx *tx, const Uuid *user_id, const char *document, Arena *arena,
                           Consent *ret_consent);
/* In the order in which they were added, those after `after` (nil: all), at most `max`. */
int agreement_store_list(DbTx *tx, const UserKey *key, const Uuid *after, size_t max, Arena *arena,
                         Consent **ret_consents, size_t *ret_n);
