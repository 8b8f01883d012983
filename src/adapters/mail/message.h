/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A mail as it goes over the wire or into a file: RFC 5322, 2045 and 2047. */

#include "base/arena.h"
#include "core/ports/mail.h"

/* Who mail comes from. Strings live in the arena that it was parsed with. */
typedef struct MailSender {
    const char *name;    /* UTF-8; "" when there is none */
    const char *address; /* "no-reply@example.org" */
} MailSender;

/* Longest address that RFC 5321, section 4.5.3.1 lets through. */
#define MAIL_ADDRESS_LEN_MAX 254

/*
 * Whether that is one address that may stand in headers and SMTP commands as it is: a local part
 * without quotes, a domain, no blank, control character, comma, semicolon, bracket or angle; UTF-8
 * (RFC 6531) is allowed.
 */
bool mail_address_is_valid(const char *address);

/* "Name <address>" or "address". 0, or -EINVAL. */
int mail_sender_parse(const char *text, Arena *arena, MailSender *ret_sender);

/*
 * Appends the whole message with a Date of now, a new Message-ID and lines that end with CR LF.
 * MAIL_E_REFUSED when the address is not valid, or subject or text are not UTF-8, or the subject
 * holds a control character: nothing of them can become a header.
 */
int mail_message_write(const MailSender *from, const MailMessage *message, Buf *out);
