/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Mail to people: a folder of .eml files, or SMTP. Blocks; thread-safe. */

#include "base/str.h"

typedef struct MailMessage {
    const char *to;      /* one address, checked by whoever took it in; no name, no line break */
    const char *subject; /* UTF-8, one line */
    const char *text;    /* UTF-8, lines end with \n */
} MailMessage;

typedef struct Mailer Mailer;

enum {
    MAIL_E_REFUSED = 1, /* the address or the message was refused for good: do not try again */
};

struct Mailer {
    const struct MailerImpl *impl;
};

typedef struct MailerImpl {
    int (*send)(Mailer *self, const MailMessage *message);
    Mailer *(*free)(Mailer *self);
} MailerImpl;

/* 0: handed over for good (on disk, or accepted by the server); MAIL_E_REFUSED; or a fault, after
 * which it is worth trying again later. */
static inline int mailer_send(Mailer *self, const MailMessage *message) {
    return self->impl->send(self, message);
}

static inline Mailer *mailer_free(Mailer *self) {
    return self ? self->impl->free(self) : NULL;
}
DEFINE_CLEANUP(Mailer *, mailer_free)
