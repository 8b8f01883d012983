/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Mail as files, one NAME.eml a message, for machines that send none and for looking at it. */

#include "adapters/mail/message.h"

/*
 * Makes the folder (not those above it) when it is missing; nobody but its owner may look into it,
 * since mails hold links that open accounts. `from` is copied. A fault: -EACCES, -ENOTDIR ...
 */
int mail_folder_new(const char *folder, const MailSender *from, Mailer **ret_mailer);
