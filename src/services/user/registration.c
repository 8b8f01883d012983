/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Opening an account: an address is proved first, by a link that is sent to it, and only then is
 * there an account, with the password that whoever read the mail chose. So nobody can prepare an
 * account under a stranger's address, and the answer never tells whether there is one.
 */

#include "services/user/registration.h"

#include "base/error.h"
#include "services/user/account_json.h"
#include "services/user/account_store.h"
#include "services/user/credit_store.h"
#include "services/user/mail_start.h"
#include "services/user/mail_token_store.h"
#include "services/user/mails.h"
#include "services/user/passwords.h"
#include "services/user/read_token.h"
#include "services/user/sessions.h"
#include "services/user/text.h"

static UserFailure start(UserCall *call, json_t **ret_body) {
    if (!call->service->options.settings->registration) {
        call->detail = "Accounts here are opened by the operator.";
        return USER_FAILURE_FORBIDDEN;
    }
    return mail_start(call, mails_registration, ret_body);
}

void registration_start_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, start);
}

typedef struct CompleteBody {
    const char *token, *password, *device;
    Profile profile;
    bool cookie;
} CompleteBody;

static const JsonField complete_fields[] = {
    {"token", JSON_FIELD_STR, offsetof(CompleteBody, token), true, .max = 100},
    {"password", JSON_FIELD_STR, offsetof(CompleteBody, password), true, .max = PASSWORD_BYTES_MAX},
    {"device", JSON_FIELD_STR, offsetof(CompleteBody, device), .max = 200},
    {"name", JSON_FIELD_STR, offsetof(CompleteBody, profile.name), .max = PROFILE_NAME_MAX},
    {"locale", JSON_FIELD_STR, offsetof(CompleteBody, profile.locale), .max = PROFILE_LOCALE_MAX},
    {"zone", JSON_FIELD_STR, offsetof(CompleteBody, profile.zone), .max = PROFILE_ZONE_MAX},
    {"cookie", JSON_FIELD_BOOL, offsetof(CompleteBody, cookie)},
    {0},
};

typedef struct Completion {
    UserCall *call;
    const CompleteBody *body;
    const char *phc;
    Account account;
    Session session;
    char token[SESSION_TOKEN_LEN + 1];
} Completion;

static int peek(DbTx *tx, void *userdata) {
    Completion *completion = userdata;

    return mail_token_store_peek(tx, MAIL_TOKEN_REGISTRATION, str_from(completion->body->token),
                                 completion->call->now_us, completion->call->arena);
}

static int add_welcome_credits(DbTx *tx, UserCall *call, const Account *account) {
    int64_t credits = (int64_t)call->service->options.settings->welcome_credits;
    int r;

    if (credits == 0) {
        return 0;
    }
    r = credit_store_add(tx, &account->key.user_id, credits * 100, call->now_us, call->arena);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int registration_open(DbTx *tx, UserCall *call, Account *account, uint32_t methods,
                      const char *device, const char *subject, Session *ret_session,
                      char ret_token[SESSION_TOKEN_LEN + 1]) {
    const Vault *vault = call->service->vault;
    AuditEvent event = user_call_event(call, "account.created", subject);
    int r = account_store_add(tx, vault, call->arena, account);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    if ((r = add_welcome_credits(tx, call, account)) != 0 ||
        (r = sessions_open(tx, call, &account->key, methods, device, ret_session, ret_token)) !=
            0 ||
        (r = audit_append(tx, vault, &account->key, call->now_us, call->arena, &event)) != 0) {
        return err_trace(r);
    }
    return 0;
}

static int open_account(DbTx *tx, void *userdata) {
    Completion *completion = userdata;
    UserCall *call = completion->call;
    const Vault *vault = call->service->vault;
    MailToken token;
    int r =
        mail_token_store_take(tx, vault, MAIL_TOKEN_REGISTRATION, str_from(completion->body->token),
                              call->now_us, call->arena, &token);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    completion->account = (Account){.key.user_id = uuid_new(),
                                    .status = ACCOUNT_ACTIVE,
                                    .role = ACCOUNT_ROLE_USER,
                                    .email = token.email,
                                    .profile = completion->body->profile,
                                    .password = completion->phc,
                                    .created_us = call->now_us};
    r = registration_open(tx, call, &completion->account, SESSION_METHOD_PASSWORD,
                          completion->body->device, NULL, &completion->session, completion->token);
    /* Opened meanwhile by another link to the same address. */
    return r <= 0 ? err_trace(r) : MAIL_TOKEN_E_NONE;
}

static UserFailure check_body(UserCall *call, const CompleteBody *body) {
    UserFailure failure = account_check_profile(call, &body->profile);

    if (failure == USER_FAILURE_NONE && !text_is_plain(body->device, 200)) {
        call->detail = "device: has characters that cannot be seen.";
        return USER_FAILURE_INVALID_FIELD;
    }
    return failure != USER_FAILURE_NONE ? failure : passwords_check(call, body->password, NULL);
}

static UserFailure complete(UserCall *call, json_t **ret_body) {
    CompleteBody body = {.device = "", .profile = {"", "", ""}, .cookie = true};
    Completion completion = {.call = call, .body = &body};
    UserFailure failure = user_call_read(call, complete_fields, &body);
    int r;

    if (failure != USER_FAILURE_NONE || (failure = check_body(call, &body)) != USER_FAILURE_NONE) {
        return failure;
    }
    r = db_read(call->service->options.db, NULL, peek, &completion);
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : mail_link_stale(call);
    }
    failure = passwords_hash(call, body.password, &completion.phc);
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    r = db_write(call->service->options.db, open_account, &completion, read_token_noted(call));
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : mail_link_stale(call);
    }
    metric_add(call->service->metrics.registrations, 1);
    *ret_body = sessions_opened_json(call, &completion.account, &completion.session,
                                     completion.token, body.cookie);
    account_done(&completion.account);
    call->status = 201;
    return USER_FAILURE_NONE;
}

void registration_complete_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, complete);
}
