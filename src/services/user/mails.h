/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What this service writes to people. Nobody waits for a mail: it is made and sent on the mail
 * executor, so that an answer takes equally long whether there is an account or not. A mail that
 * is under way when the process dies is lost; its receiver asks again. Who cannot is owed one:
 * owed_mails.h.
 */

#include "services/user/internal.h"

/* Mails that carry a link: each decides by itself what the receiver gets. `email` is canonical.
 * 0, or EXECUTOR_E_FULL or EXECUTOR_E_CLOSED: too much waits. */
int mails_registration(UserService *service, const char *email);
int mails_password_reset(UserService *service, const char *email);
int mails_email_change(UserService *service, const Uuid *user_id, const char *new_email);

/* That the copy of their data is there, with a link to the account page. Best effort. */
void mails_export_ready(UserService *service, const char *email);

/* A mail of that text; both are copied, and kept in memory alone. Best effort. */
void mails_text(UserService *service, const char *email, const char *subject, const char *text);

/* Tells somebody of what was done to their account. Best effort. */
typedef enum MailNotice {
    MAIL_NOTICE_PASSWORD_CHANGED,
    MAIL_NOTICE_EMAIL_CHANGED, /* goes to the old address */
    MAIL_NOTICE_TOTP_ADDED,
    MAIL_NOTICE_TOTP_REMOVED,
    MAIL_NOTICE_RECOVERY_USED,
    MAIL_NOTICE_DEVICE_ALLOWED,   /* a program got access by a code that was typed */
    MAIL_NOTICE_IDENTITY_ADDED,   /* another issuer lets them in */
    MAIL_NOTICE_IDENTITY_REMOVED, /* and no longer */
    MAIL_NOTICE_ACCOUNT_OPENED,   /* by signing in with another issuer: no mail came before */
    MAIL_NOTICE_PASSWORD_REMOVED,
    MAIL_NOTICE_PASSKEY_ADDED,
    MAIL_NOTICE_PASSKEY_REMOVED,
    MAIL_NOTICE_PASSKEY_COPIED,
    _MAIL_NOTICE_MAX,
} MailNotice;
void mails_notice(UserService *service, MailNotice notice, const char *email);
