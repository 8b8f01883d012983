/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Mail over SMTP (RFC 5321) with libcurl; a connection a message. */

#include "adapters/mail/message.h"

typedef struct MailSmtpOptions {
    const char *url;  /* smtp://HOST[:PORT] or smtps://HOST[:PORT] */
    const char *user; /* "": none */
    const char *password;
    const char *ca_file; /* PEM; "": those of the system */
    bool plain;          /* smtp:// goes on where the server offers no STARTTLS; off for others */
    uint32_t connect_timeout_ms, timeout_ms; /* the second is for a whole message */
} MailSmtpOptions;

/* Copies both; does not connect yet. -EINVAL when the URL is neither of the two. */
int mail_smtp_new(const MailSmtpOptions *options, const MailSender *from, Mailer **ret_mailer);
