/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/erasure_mail.h"

#include "services/user/mails.h"

#include <time.h>

#define DATE_SIZE 64
#define LINE_LEN  72

static const char *date(int64_t at_us, char text[DATE_SIZE]) {
    time_t seconds = (time_t)(at_us / 1000000);
    struct tm parts;

    gmtime_r(&seconds, &parts);
    return strftime(text, DATE_SIZE, "%d %B %Y, %H:%M UTC", &parts) > 0 ? text : "soon";
}

const char *erasure_mail_asked_text(const ErasureRequest *request, const char *url, Arena *arena) {
    char text[DATE_SIZE];

    if (request->erase_us <= request->now_us) {
        return "The erasure of your Image Sync account was asked for. It is erased now, with all "
               "that belongs to it.\n\nA receipt follows.\n";
    }
    return arena_printf(arena,
                        "The erasure of your Image Sync account was asked for. All devices were "
                        "signed out, and its API keys do not work any more.\n\nOn %s the account "
                        "is erased, with all that belongs to it. Until then you can call it off: "
                        "sign in.\n\n%s%s%sIf it was not you, sign in and choose a new "
                        "password.\n",
                        date(request->erase_us, text), url[0] ? "  " : "", url,
                        url[0] ? "/account/sign-in\n\n" : "");
}

void erasure_mail_asked(UserService *service, const ErasureRequest *request) {
    mails_text(service, request->email, ERASURE_MAIL_ASKED,
               erasure_mail_asked_text(request, service->public_url, request->arena));
}

void erasure_mail_called_off(UserService *service, const char *email) {
    mails_text(service, email, "Your account stays",
               "Somebody signed in to your Image Sync account, so it is not erased. API keys work "
               "again.\n\nIf you still want it erased, ask for that anew on your account page. If "
               "it was not you who signed in, choose a new password at once.\n");
}

/* A token on several lines: those of a mail end at 998 bytes (RFC 5322 2.1.1). */
static const char *wrap(const char *token, Arena *arena) {
    _cleanup_(buf_done) Buf lines = BUF_INIT;
    size_t left = strlen(token);

    while (left > 0) {
        size_t n = MIN(left, (size_t)LINE_LEN);
        buf_add(&lines, token, n);
        buf_add(&lines, "\n", 1);
        token += n;
        left -= n;
    }
    return arena_strdup(arena, buf_str(&lines));
}

void erasure_mail_done(const UserService *service, const char *receipt_id, const char *receipt,
                       Arena *arena, MailMessage *ret_mail) {
    ret_mail->subject = "Your account is erased";
    ret_mail->text = arena_printf(
        arena,
        "Your Image Sync account is erased, with all that belonged to it. This is the last mail; "
        "your address is not kept.\n\nThe receipt below is signed. It says what was erased and "
        "when. Whoever has this mail can also fetch it:\n\n  %s/v1/erasure-receipts/%s\n\nTo have "
        "it checked, hand it to the operator of the service.\n\n%s",
        service->public_url, receipt_id, wrap(receipt, arena));
}
