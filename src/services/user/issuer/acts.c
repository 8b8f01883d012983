/* SPDX-License-Identifier: Apache-2.0 */

/* What comes of an identity that was proved: a session, an account, a link, a fresh proof. */

#include "base/error.h"
#include "services/user/attempts.h"
#include "services/user/issuer/visit.h"
#include "services/user/mails.h"
#include "services/user/profile.h"
#include "services/user/read_token.h"
#include "services/user/registration.h"
#include "services/user/second_factor.h"
#include "services/user/sessions.h"
#include "services/user/sign_in.h"

#define SECOND_US 1000000LL

enum {
    VISIT_E_GONE = 300, /* no such account, or it is no longer linked */
    VISIT_E_ADDRESS,    /* the issuer vouches for another address than the account's */
    VISIT_E_EXISTS,     /* the identity is somebody's already */
    VISIT_E_FULL,
};

/*
 * When somebody last proved who they are, as far as the issuer tells: being signed in there is no
 * fresh proof, and one that does not say counts as old, so that whoever finds a browser open cannot
 * change password or address by way of it.
 */
static int64_t proved_us(const Visit *visit) {
    const UserCall *call = visit->call;
    int64_t minutes = (int64_t)call->service->options.settings->fresh_minutes;
    int64_t at_us = (int64_t)visit->flow.authenticated_s * SECOND_US;

    if (visit->flow.authenticated_s == 0) {
        return call->now_us - (minutes * 60 + 1) * SECOND_US;
    }
    return MIN(at_us, call->now_us);
}

static int date_session(DbTx *tx, Visit *visit) {
    visit->session.authenticated_us = proved_us(visit);
    return session_store_authenticated(tx, &visit->session, visit->session.methods,
                                       visit->session.authenticated_us);
}

/* Writes what is somebody's; `whose` is read afterwards. */
static int write_of(Visit *visit, const Uuid *whose, DbWork *work) {
    UserCall *call = visit->call;
    int r = db_write(call->service->options.db, work, visit, read_token_noted(call));

    if (r == 0) {
        call->whose = *whose;
        read_token_keep(call, USER_FAILURE_NONE); /* here, as pages end their calls themselves */
        profile_forget(call);
    }
    return r;
}

/* The account whose identity it is, in this transaction. */
static int load_owner(DbTx *tx, Visit *visit, Account *ret_account) {
    UserCall *call = visit->call;
    const Vault *vault = call->service->vault;
    Uuid owner;
    int r = identity_store_owner(tx, vault, visit->issuer->issuer, visit->flow.subject, call->arena,
                                 &owner);

    if (r == 0 && !uuid_equal(&owner, &visit->user_id)) {
        r = IDENTITY_E_NONE;
    }
    if (r == 0) {
        r = account_store_get(tx, vault, &owner, call->arena, ret_account);
    }
    return r < 0 ? err_trace(r) : r > 0 ? VISIT_E_GONE : 0;
}

static int enter(DbTx *tx, void *userdata) {
    Visit *visit = userdata;
    UserCall *call = visit->call;
    const SignInProof proof = {SESSION_METHOD_ISSUER, visit->code, "", visit->issuer->title};
    _cleanup_(account_done) Account account = {0};
    int r = load_owner(tx, visit, &account);

    if (r == 0) {
        r = sign_in_open(tx, call, &account, &proof, &visit->session, visit->token);
    }
    if (r == 0) {
        r = identity_store_used(tx, call->service->vault, &visit->user_id, visit->issuer->issuer,
                                visit->flow.subject, call->now_us);
    }
    if (r == 0) {
        r = date_session(tx, visit);
    }
    visit->email = account.email;
    return r < 0 ? err_trace(r) : r;
}

static int load_email(DbTx *tx, void *userdata) {
    Visit *visit = userdata;
    _cleanup_(account_done) Account account = {0};
    int r = load_owner(tx, visit, &account);

    visit->email = account.email;
    return r < 0 ? err_trace(r) : r;
}

/* Codes are guessed at no faster here than with a password. False: it was answered. */
static bool take_attempt(Visit *visit) {
    UserCall *call = visit->call;
    int r = db_read(call->service->options.db, NULL, load_email, visit);
    UserFailure failure;

    if (r != 0) {
        visit_page_failure(visit,
                           r < 0 ? user_call_fault(call, r) : USER_FAILURE_WRONG_CREDENTIALS);
        return false;
    }
    failure = attempts_take_network(call);
    if (failure == USER_FAILURE_NONE) {
        failure = attempts_take_code(call, visit->email);
    }
    if (failure != USER_FAILURE_NONE) {
        visit_page_code(visit, user_failure_info(failure)->status,
                        arena_printf(call->arena, "Too many attempts. %s", call->detail));
    }
    return failure == USER_FAILURE_NONE;
}

static int note_refusal(DbTx *tx, void *userdata) {
    Visit *visit = userdata;
    UserCall *call = visit->call;
    AuditEvent event = user_call_event(call, "session.refused", visit->issuer->title);
    _cleanup_(account_done) Account account = {0};
    int r = load_owner(tx, visit, &account);

    return r != 0 ? r
                  : audit_append(tx, call->service->vault, &account.key, call->now_us, call->arena,
                                 &event);
}

static void answer_failure(Visit *visit, int r) {
    UserCall *call = visit->call;

    if (r == SECOND_FACTOR_E_MISSING) {
        visit_page_code(visit, 200, NULL);
        return;
    }
    metric_add(call->service->metrics.sign_ins_refused, 1);
    switch (r) {
    case SECOND_FACTOR_E_WRONG:
        (void)write_of(visit, &visit->user_id, note_refusal);
        visit_page_code(visit, 401, "The code is wrong, or was used already.");
        break;
    case SIGN_IN_E_LOCKED:
        (void)write_of(visit, &visit->user_id, note_refusal);
        call->detail = "Please ask the operator of this service.";
        visit_page_failure(visit, USER_FAILURE_LOCKED);
        break;
    case VISIT_E_GONE:
        call->detail = "The account is gone, or was unlinked a moment ago.";
        visit_page_failure(visit, USER_FAILURE_CONFLICT);
        break;
    default:
        visit_page_failure(visit, user_call_fault(call, r < 0 ? r : -EIO));
    }
}

/* What follows a proof that was good. */
static void proof_was_good(Visit *visit, uint32_t methods) {
    UserCall *call = visit->call;

    attempts_succeeded(call, visit->email);
    if (methods & SESSION_METHOD_RECOVERY) {
        mails_notice(call->service, MAIL_NOTICE_RECOVERY_USED, visit->email);
    }
}

void visit_enter(Visit *visit) {
    UserCall *call = visit->call;
    int r;

    if (visit->code && !take_attempt(visit)) {
        return;
    }
    sessions_look_before(call);
    r = write_of(visit, &visit->user_id, enter);
    if (r != 0) {
        answer_failure(visit, r);
        return;
    }
    proof_was_good(visit, visit->session.methods);
    sign_in_opened(call, visit->email);
    metric_add(call->service->metrics.sign_ins, 1);
    visit_go_back(visit, visit->token);
}

static int renew(DbTx *tx, void *userdata) {
    Visit *visit = userdata;
    UserCall *call = visit->call;
    uint32_t methods = SESSION_METHOD_ISSUER;
    _cleanup_(account_done) Account account = {0};
    int r = load_owner(tx, visit, &account);

    if (r == 0 && account.status == ACCOUNT_LOCKED) {
        r = SIGN_IN_E_LOCKED;
    }
    if (r == 0) {
        r = second_factor_use(tx, call, &account, visit->code, &methods);
    }
    if (r == 0) {
        r = account_store_put(tx, call->service->vault, call->arena, &account);
        r = r > 0 ? -EIO : r;
    }
    if (r == 0) {
        r = session_store_authenticated(tx, &call->session, methods, call->now_us);
    }
    visit->email = account.email;
    visit->session.methods = methods;
    return r < 0 ? err_trace(r) : r;
}

void visit_prove(Visit *visit) {
    UserCall *call = visit->call;
    int r;

    if (visit->code && !take_attempt(visit)) {
        return;
    }
    r = write_of(visit, &visit->user_id, renew);
    if (r != 0) {
        answer_failure(visit, r);
        return;
    }
    proof_was_good(visit, visit->session.methods);
    sessions_forget(call, &call->session.session_id, 1);
    visit_go_back(visit, NULL);
}

/* Only what both sides vouch for: the issuer the address, the account that it is its own. */
static int add(DbTx *tx, void *userdata) {
    Visit *visit = userdata;
    UserCall *call = visit->call;
    const Vault *vault = call->service->vault;
    AuditEvent event = user_call_event(call, "identity.added", visit->issuer->title);
    Identity identity = {.issuer = visit->issuer->issuer,
                         .subject = visit->flow.subject,
                         .email = visit->flow.email,
                         .created_us = call->now_us,
                         .used_us = call->now_us};
    _cleanup_(account_done) Account account = {0};
    int r = account_store_get(tx, vault, &call->session.user_id, call->arena, &account);

    if (r != 0) {
        return r < 0 ? err_trace(r) : VISIT_E_GONE;
    }
    if (strcmp(account.email, visit->flow.email) != 0) {
        return VISIT_E_ADDRESS;
    }
    visit->email = account.email;
    r = identity_store_add(tx, vault, &account.key, call->arena, &identity);
    if (r > 0) {
        return r == IDENTITY_E_FULL ? VISIT_E_FULL : VISIT_E_EXISTS;
    }
    if (r == 0) {
        r = audit_append(tx, vault, &account.key, call->now_us, call->arena, &event);
    }
    return r < 0 ? err_trace(r) : 0;
}

void visit_add(Visit *visit) {
    UserCall *call = visit->call;
    int r = write_of(visit, &call->session.user_id, add);

    switch (r) {
    case 0:
        mails_notice(call->service, MAIL_NOTICE_IDENTITY_ADDED, visit->email);
        visit_go_back(visit, visit->token[0] ? visit->token : NULL);
        break;
    case VISIT_E_ADDRESS:
        visit_page(visit, 403, "It has another address",
                   arena_printf(call->arena,
                                "Only what has the e-mail address of your account, confirmed by "
                                "%s, can be linked with it.",
                                visit->issuer->title),
                   "/account", "Back to the account");
        break;
    case VISIT_E_EXISTS:
        visit_page(visit, 409, "It is linked already",
                   "Who you are there is linked with an account here.", "/account",
                   "Back to the account");
        break;
    case VISIT_E_FULL:
        visit_page(visit, 409, "That is enough",
                   "Your account is linked with as many as it can be. Remove one first.",
                   "/account", "Back to the account");
        break;
    default:
        visit_page_failure(visit,
                           r < 0 ? user_call_fault(call, r) : USER_FAILURE_WRONG_CREDENTIALS);
    }
}

static int open_account(DbTx *tx, void *userdata) {
    Visit *visit = userdata;
    UserCall *call = visit->call;
    const IdentityClaims *claims = &visit->claims;
    Identity identity = {.issuer = visit->issuer->issuer,
                         .subject = claims->subject,
                         .email = claims->email,
                         .created_us = call->now_us,
                         .used_us = call->now_us};
    _cleanup_(account_done)
        Account account = {.key.user_id = uuid_new(),
                           .status = ACCOUNT_ACTIVE,
                           .role = ACCOUNT_ROLE_USER,
                           .email = claims->email,
                           .profile = {claims->name, claims->locale, claims->zone},
                           .created_us = call->now_us};
    int r = registration_open(tx, call, &account, SESSION_METHOD_ISSUER, "", visit->issuer->title,
                              &visit->session, visit->token);

    if (r == 0) {
        r = consent_keep(tx, call, &account.key, &visit->agreed);
    }
    if (r == 0) {
        r = identity_store_add(tx, call->service->vault, &account.key, call->arena, &identity);
    }
    if (r == 0) {
        r = date_session(tx, visit);
    }
    return r < 0 ? err_trace(r) : r > 0 ? VISIT_E_EXISTS : 0;
}

void visit_register(Visit *visit) {
    UserCall *call = visit->call;
    int r = write_of(visit, &visit->session.user_id, open_account);

    if (r != 0) {
        call->detail = "Somebody has opened an account with this address just now. Please sign in "
                       "once more.";
        visit_page_failure(visit, r < 0 ? user_call_fault(call, r) : USER_FAILURE_CONFLICT);
        return;
    }
    attempts_succeeded(call, visit->claims.email);
    metric_add(call->service->metrics.registrations, 1);
    mails_notice(call->service, MAIL_NOTICE_ACCOUNT_OPENED, visit->claims.email);
    visit_go_back(visit, visit->token);
}
