/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/owed_mails.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "services/user/owed_mail_store.h"

#define BATCH        50
#define FAILURES_MAX 3 /* one after another: nobody takes mails now */

typedef struct Owed {
    UserService *service;
    Arena *arena;
    OwedMail *mails;
    size_t n, at;
} Owed;

static int list(DbTx *tx, void *userdata) {
    Owed *owed = userdata;

    return owed_mail_store_list(tx, owed->service->vault, BATCH, owed->arena, &owed->mails,
                                &owed->n);
}

static int remove_one(DbTx *tx, void *userdata) {
    const Owed *owed = userdata;

    return owed_mail_store_remove(tx, owed->mails[owed->at].id);
}

/* 0, a condition after which there is no use in trying again, or a fault. */
static int hand_over(UserService *service, const OwedMail *mail) {
    int r = MAIL_E_REFUSED;

    if (mail->message.to) {
        r = mailer_send(service->options.mailer, &mail->message);
    }
    metric_add(r == 0 ? service->metrics.mails_sent : service->metrics.mails_failed, 1);
    if (r != 0) {
        log_error("mail not sent", LOG_STR("error", r < 0 ? strerror(-r) : "refused"));
    }
    return r;
}

int owed_mails_run(UserService *service, Housekeeping *housekeeping) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Owed owed = {.service = service, .arena = arena};
    unsigned failures = 0;
    bool any_gone = false;
    int r = db_read(service->options.db, NULL, list, &owed);

    for (; r == 0 && owed.at < owed.n && failures < FAILURES_MAX; owed.at++) {
        const OwedMail *mail = &owed.mails[owed.at];
        if (!housekeeping_goes_on(housekeeping)) {
            break;
        }
        if (hand_over(service, mail) < 0 && clock_unix_us() < mail->expires_us) {
            failures++;
            continue;
        }
        failures = 0;
        r = db_write(service->options.db, remove_one, &owed, NULL);
        any_gone = any_gone || r == 0;
    }
    if (any_gone) {
        /* Nothing of what was said last to whoever is erased is to be left in the log of rows. */
        int scrubbed = db_scrub(service->options.db);
        r = r < 0 ? r : scrubbed;
    }
    return r < 0 ? err_trace(r) : 0;
}
