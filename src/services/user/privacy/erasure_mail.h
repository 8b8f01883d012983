/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is written to somebody whose account ends. */

#include "core/ports/mail.h"
#include "services/user/privacy/erasure.h"

#define ERASURE_MAIL_ASKED "Your account is going to be erased"

/* That it was asked for, when it is to be and how it is called off; in the arena. `url` is where
 * people reach the server, "" when that is not known. */
const char *erasure_mail_asked_text(const ErasureRequest *request, const char *url, Arena *arena);

/* Each on its way: nobody waits. */
void erasure_mail_asked(UserService *service, const ErasureRequest *request);
void erasure_mail_called_off(UserService *service, const char *email);

/* Subject and text of the last mail, in the arena: the receipt is in no other place that can be
 * read without its id. */
void erasure_mail_done(const UserService *service, const char *receipt_id, const char *receipt,
                       Arena *arena, MailMessage *ret_mail);
