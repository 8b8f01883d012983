/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is written to somebody whose account ends. */

#include "services/user/privacy/erasure.h"

#define ERASURE_MAIL_ASKED "Your account is going to be erased"

/* That it was asked for, when it is to be and how it is called off; in the arena. `url` is where
 * people reach the server, "" when that is not known. */
const char *erasure_mail_asked_text(const ErasureRequest *request, const char *url, Arena *arena);

/* Each on its way: nobody waits. */
void erasure_mail_asked(UserService *service, const ErasureRequest *request);
void erasure_mail_called_off(UserService *service, const char *email);
/* The receipt is in no other place that can be read without its id. */
void erasure_mail_done(UserService *service, const char *email, const char *receipt_id,
                       const char *receipt);
