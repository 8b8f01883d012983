/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Mails that are yet to be handed over, in the table user_mail_token beside the links that mails
 * carry, as rows of a kind of their own. They are sealed under the service's key: until it is
 * handed over, a mail can be read by whoever has both the database and the master key. Calls run in
 * a transaction of the caller's.
 */

#include "core/ports/mail.h"
#include "services/user/vault.h"

#define OWED_MAIL_DAYS 7

extern const DbStatement owed_mail_statements[];
extern const size_t owed_mail_statements_len;

typedef struct OwedMail {
    Str id;              /* VAULT_HASH_LEN bytes */
    MailMessage message; /* `to` NULL: it does not open, and never will */
    int64_t expires_us;
} OwedMail;

/* Owes it from now on, for OWED_MAIL_DAYS at most. */
int owed_mail_store_add(DbTx *tx, const Vault *vault, const MailMessage *message, int64_t now_us,
                        Arena *arena);
/* Up to `max`, the newest first; all in the arena. */
int owed_mail_store_list(DbTx *tx, const Vault *vault, size_t max, Arena *arena,
                         OwedMail **ret_mails, size_t *ret_n);
int owed_mail_store_remove(DbTx *tx, Str id);
