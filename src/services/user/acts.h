/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What admins and operators do to an account: each in one transaction, with an entry in the audit
 * trail of the one it is done to.
 */

#include "services/user/account_store.h"
#include "services/user/audit.h"
#include "services/user/credit_store.h"

typedef enum ActKind {
    ACT_GRANT,  /* `amount` more credits, or less when negative */
    ACT_STATUS, /* `value` is an AccountStatus, and then what it came to: locking signs out, and
                 * keys stop working */
    ACT_ROLE,   /* `value` is an AccountRole */
} ActKind;

typedef struct Act {
    ActKind kind;
    Uuid user_id;
    int64_t amount; /* hundredths of a credit */
    int value;
    const char *by;      /* who does it: an admin's id, or "operator" */
    const char *session; /* of that admin; NULL: none */
    const char *reason;  /* or NULL */
    int64_t now_us;

    /* What came of it, in the arena; sessions and keys to be taken out of the cache. */
    Arena *arena;
    CreditState credits; /* ACT_GRANT */
    Uuid *session_ids, *key_ids;
    size_t n_sessions, n_keys;
} Act;

enum {
    ACT_E_NONE = 1, /* no such account */
    ACT_E_LITTLE,   /* less is left than is to be taken away */
    ACT_E_MUCH,     /* more than anybody can have */
    ACT_E_ERASING,  /* the account's end was asked for: its status is not an admin's */
};

int act_do(DbTx *tx, const Vault *vault, Act *act);

/* "5", "-0.25": an amount with at most two decimals. Returns `text`. */
#define ACT_AMOUNT_SIZE 32
const char *act_amount_text(int64_t hundredths, char text[ACT_AMOUNT_SIZE]);
/* 0, or -EINVAL: not of that form, or above CREDIT_BALANCE_MAX. */
int act_amount_parse(Str text, int64_t *ret_hundredths);
