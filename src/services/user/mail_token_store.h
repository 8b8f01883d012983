/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table user_mail_token: links that are sent by mail and good for one use. A token is 32 random
 * bytes in base64url; the table keeps their SHA-256, and the address sealed under a key that is
 * made of them too: whoever has the database, or a copy of it, and all keys, does not learn whom it
 * is of. Rows of one kind are no links: owed_mail_store.h.
 */

#include "services/user/vault.h"

#define MAIL_TOKEN_LEN 43

typedef enum MailTokenKind {
    MAIL_TOKEN_REGISTRATION,
    MAIL_TOKEN_PASSWORD_RESET,
    MAIL_TOKEN_EMAIL_CHANGE,
    MAIL_TOKEN_OWED, /* no token: a mail that is yet to be handed over */
} MailTokenKind;

typedef struct MailToken {
    MailTokenKind kind;
    Uuid user_id;      /* the nil UUID: nobody yet */
    const char *email; /* the address it was sent to */
    int64_t created_us, expires_us;
} MailToken;

enum {
    MAIL_TOKEN_E_NONE = 1, /* unknown, used, expired or of another kind */
};

extern const DbStatement mail_token_statements[];
extern const size_t mail_token_statements_len;

/* Makes a token; what has expired goes on the way. */
int mail_token_store_add(DbTx *tx, Arena *arena, const MailToken *token,
                         char ret_text[MAIL_TOKEN_LEN + 1]);
/* Only whether it would be taken, before work is spent on it. 0 or MAIL_TOKEN_E_NONE. */
int mail_token_store_peek(DbTx *tx, MailTokenKind kind, Str text, int64_t now_us, Arena *arena);
/* Takes it out: it can be used in this transaction, and if that is rolled back, again. */
int mail_token_store_take(DbTx *tx, MailTokenKind kind, Str text, int64_t now_us, Arena *arena,
                          MailToken *ret_token);
/* All of a user's: when the password changes, old links must not be good any more. */
int mail_token_store_remove_all(DbTx *tx, const Uuid *user_id);
