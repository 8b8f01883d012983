/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/mails.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "services/user/account_store.h"
#include "services/user/mail_token_store.h"

#include <time.h>

#define SEND_TRIES 3

/* One mail on its way. */
typedef struct MailJob {
    UserService *service;
    Arena *arena;
    const char *email;
    Uuid user_id; /* nil: whoever has the address, if anyone */
    void (*make)(struct MailJob *job);
    MailNotice notice;
    const char *subject, *text; /* of mails_text() */

    MailTokenKind kind;
    char token[MAIL_TOKEN_LEN + 1];
    bool known; /* somebody has the address */
} MailJob;

static void send(MailJob *job, const char *subject, const char *text) {
    const MailMessage message = {job->email, subject, text};
    UserMetrics *metrics = &job->service->metrics;
    int r = -EIO;

    for (unsigned i = 0; i < SEND_TRIES && r < 0; i++) {
        if (i > 0) {
            nanosleep(&(struct timespec){.tv_sec = (time_t)i * i}, NULL);
        }
        r = mailer_send(job->service->options.mailer, &message);
    }
    metric_add(r == 0 ? metrics->mails_sent : metrics->mails_failed, 1);
    if (r != 0) {
        log_error("mail not sent", LOG_STR("error", r < 0 ? strerror(-r) : "refused"));
    }
}

static int make_token(DbTx *tx, void *userdata) {
    MailJob *job = userdata;
    int64_t now_us = clock_unix_us();
    int64_t minutes = (int64_t)job->service->options.settings->mail_token_minutes;
    MailToken token = {.kind = job->kind,
                       .user_id = job->user_id,
                       .email = job->email,
                       .created_us = now_us,
                       .expires_us = now_us + minutes * 60 * 1000000};
    uint8_t hash[VAULT_HASH_LEN];
    Uuid owner;
    int r;

    vault_hash_email(job->service->vault, str_from(job->email), hash);
    r = account_store_find_id(tx, hash, job->arena, &owner);
    if (r < 0) {
        return err_trace(r);
    }
    job->known = r == 0;
    if (!uuid_is_nil(&job->user_id)) { /* of one who was erased meanwhile nothing is kept */
        _cleanup_(account_done) Account account = {0};
        r = account_store_get(tx, job->service->vault, &job->user_id, job->arena, &account);
        if (r != 0) {
            return r < 0 ? err_trace(r) : -ECANCELED;
        }
    }
    if (job->kind == MAIL_TOKEN_PASSWORD_RESET) {
        token.user_id = owner;
    }
    if (job->known != (job->kind == MAIL_TOKEN_PASSWORD_RESET)) {
        return 0; /* nothing to prove: another mail goes out, or none */
    }
    r = mail_token_store_add(tx, job->arena, &token, job->token);
    return r < 0 ? err_trace(r) : 0;
}

static bool prepare(MailJob *job, MailTokenKind kind) {
    int r;

    job->kind = kind;
    r = db_write(job->service->options.db, make_token, job, NULL);
    if (r < 0) {
        log_error("mail not made", LOG_STR("error", strerror(-r)));
        metric_add(job->service->metrics.mails_failed, 1);
    }
    return r == 0;
}

static const char *link_text(MailJob *job, const char *page) {
    return arena_printf(job->arena, "%s%s?token=%s", job->service->public_url, page, job->token);
}

static unsigned minutes(const MailJob *job) {
    return (unsigned)job->service->options.settings->mail_token_minutes;
}

static void make_registration(MailJob *job) {
    if (!prepare(job, MAIL_TOKEN_REGISTRATION)) {
        return;
    }
    if (job->known) {
        send(job, "You already have an account",
             arena_printf(job->arena,
                          "Somebody, perhaps you, wanted to open an Image Sync account with this "
                          "address.\nYou have one already. Sign in, or choose a new password, "
                          "here:\n\n  %s/account/reset\n\nIf it was not you, nothing has to be "
                          "done.\n",
                          job->service->public_url));
        return;
    }
    send(job, "Confirm your address",
         arena_printf(job->arena,
                      "Welcome to Image Sync. To open your account, follow this link within %u "
                      "minutes:\n\n  %s\n\nIf you did not ask for this, ignore this mail: no "
                      "account is opened.\n",
                      minutes(job), link_text(job, "/account/register")));
}

static void make_reset(MailJob *job) {
    if (!prepare(job, MAIL_TOKEN_PASSWORD_RESET)) {
        return;
    }
    if (!job->known) {
        send(job, "No account with this address",
             arena_printf(job->arena,
                          "Somebody, perhaps you, asked for a new Image Sync password, but there "
                          "is no account with this address.\nIf you have one, it is under another "
                          "address. To open one:\n\n  %s/account/register\n",
                          job->service->public_url));
        return;
    }
    send(job, "Choose a new password",
         arena_printf(job->arena,
                      "To choose a new Image Sync password, follow this link within %u "
                      "minutes:\n\n  %s\n\nIf you did not ask for this, ignore this mail: your "
                      "password stays as it is.\n",
                      minutes(job), link_text(job, "/account/reset")));
}

static void make_email_change(MailJob *job) {
    if (!prepare(job, MAIL_TOKEN_EMAIL_CHANGE)) {
        return;
    }
    if (job->known) {
        send(job, "This address has an account already",
             "Somebody, perhaps you, wanted to move an Image Sync account to this address, but "
             "the address has one already.\nNothing was changed.\n");
        return;
    }
    send(job, "Confirm your new address",
         arena_printf(job->arena,
                      "To move your Image Sync account to this address, follow this link within "
                      "%u minutes:\n\n  %s\n\nIf you did not ask for this, ignore this mail.\n",
                      minutes(job), link_text(job, "/account/email")));
}

static void make_export_ready(MailJob *job) {
    send(job, "Your data is ready",
         arena_printf(job->arena,
                      "The copy of your Image Sync data that was asked for is ready. Sign in to "
                      "download it within %u days:\n\n  %s/account#data\n\nIf it was not you who "
                      "asked, choose a new password at once:\n\n  %s/account/reset\n",
                      (unsigned)job->service->options.settings->export_keep_days,
                      job->service->public_url, job->service->public_url));
}

static void make_notice(MailJob *job) {
    static const struct {
        const char *subject, *text;
    } notices[_MAIL_NOTICE_MAX] = {
        [MAIL_NOTICE_PASSWORD_CHANGED] = {"Your password was changed",
                                          "The password of your Image Sync account was changed, "
                                          "and all other devices were signed out."},
        [MAIL_NOTICE_EMAIL_CHANGED] = {"Your address was changed",
                                       "Your Image Sync account has another address now. Mails go "
                                       "there from now on."},
        [MAIL_NOTICE_TOTP_ADDED] = {"Second factor added",
                                    "Your Image Sync account asks for a one-time code now."},
        [MAIL_NOTICE_TOTP_REMOVED] = {"Second factor removed",
                                      "Your Image Sync account no longer asks for a one-time "
                                      "code."},
        [MAIL_NOTICE_RECOVERY_USED] = {"A recovery code was used",
                                       "Somebody signed in to your Image Sync account with a "
                                       "recovery code."},
        [MAIL_NOTICE_DEVICE_ALLOWED] = {"A device was connected",
                                        "A program or device was given access to your Image Sync "
                                        "account, by a code that was typed in a browser."},
        [MAIL_NOTICE_IDENTITY_ADDED] = {"Another way to sign in was added",
                                        "Your Image Sync account was linked with an account "
                                        "elsewhere, which signs you in from now on. Your account "
                                        "page says which."},
        [MAIL_NOTICE_IDENTITY_REMOVED] = {"A way to sign in was removed",
                                          "Your Image Sync account is no longer linked with one "
                                          "of your accounts elsewhere, which does not sign you in "
                                          "any more."},
        [MAIL_NOTICE_ACCOUNT_OPENED] = {"Welcome to Image Sync",
                                        "An Image Sync account was opened with this address, as "
                                        "somebody signed in with an account elsewhere that has "
                                        "it."},
        [MAIL_NOTICE_PASSWORD_REMOVED] = {"Your password was removed",
                                          "Your Image Sync account has no password any more: you "
                                          "sign in with a passkey."},
        [MAIL_NOTICE_PASSKEY_ADDED] = {"A passkey was added",
                                       "Your Image Sync account can be signed in to with another "
                                       "passkey now. If you did not add it, remove it from your "
                                       "account."},
        [MAIL_NOTICE_PASSKEY_REMOVED] = {"A passkey was removed",
                                         "A passkey of your Image Sync account was removed, and is "
                                         "no longer good for signing in."},
        [MAIL_NOTICE_PASSKEY_COPIED] = {"A passkey was refused",
                                        "Somebody tried to sign in to your Image Sync account with "
                                        "a passkey that seems to be a copy of yours. They were not "
                                        "let in. Remove that passkey from your account and make a "
                                        "new one."},
    };

    send(job, notices[job->notice].subject,
         arena_printf(job->arena,
                      "%s\n\nIf it was not you, choose a new password at once:\n\n  "
                      "%s/account/reset\n",
                      notices[job->notice].text, job->service->public_url));
}

static void run(void *userdata, bool cancelled) {
    MailJob *job = userdata;

    if (!cancelled) {
        job->make(job);
    }
    arena_free(job->arena);
}

static MailJob *new_job(UserService *service, void (*make)(MailJob *), const char *email) {
    Arena *arena = arena_new();
    MailJob *job = arena_alloc(arena, sizeof(*job));

    *job = (MailJob){.service = service,
                     .arena = arena,
                     .email = arena_strdup(arena, str_from(email)),
                     .make = make};
    return job;
}

static int submit_job(MailJob *job) {
    int r = executor_submit(job->service->options.mail_executor, run, job);

    if (r != 0) {
        arena_free(job->arena);
    }
    return r;
}

static int submit(UserService *service, void (*make)(MailJob *), MailNotice notice,
                  const Uuid *user_id, const char *email) {
    MailJob *job = new_job(service, make, email);

    job->notice = notice;
    if (user_id) {
        job->user_id = *user_id;
    }
    return submit_job(job);
}

int mails_registration(UserService *service, const char *email) {
    return submit(service, make_registration, 0, NULL, email);
}

int mails_password_reset(UserService *service, const char *email) {
    return submit(service, make_reset, 0, NULL, email);
}

int mails_email_change(UserService *service, const Uuid *user_id, const char *new_email) {
    return submit(service, make_email_change, 0, user_id, new_email);
}

static void note_full(UserService *service, int r) {
    if (r != 0) {
        metric_add(service->metrics.mails_failed, 1);
        log_warn("mail queue full");
    }
}

void mails_export_ready(UserService *service, const char *email) {
    note_full(service, submit(service, make_export_ready, 0, NULL, email));
}

void mails_notice(UserService *service, MailNotice notice, const char *email) {
    note_full(service, submit(service, make_notice, notice, NULL, email));
}

static void make_text(MailJob *job) {
    send(job, job->subject, job->text);
}

void mails_text(UserService *service, const char *email, const char *subject, const char *text) {
    MailJob *job = new_job(service, make_text, email);

    job->subject = arena_strdup(job->arena, str_from(subject));
    job->text = arena_strdup(job->arena, str_from(text));
    note_full(service, submit_job(job));
}
