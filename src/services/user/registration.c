/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Opening an account: an address is proved first, by a link that is sent to it, and only then is
 * there an account, with the password or the passkey that whoever read the mail chose. So nobody
 * can prepare an account under a stranger's address, and the answer never tells whether there is
 * one.
 */

#include "services/user/registration.h"

#include "base/error.h"
#include "services/user/account_json.h"
#include "services/user/account_store.h"
#include "services/user/attempts.h"
#include "services/user/credit_store.h"
#include "services/user/mail_start.h"
#include "services/user/mail_token_store.h"
#include "services/user/mails.h"
#include "services/user/passkey/part.h"
#include "services/user/passwords.h"
#include "services/user/privacy/consent.h"
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
    const char *token, *password, *passkey_name, *device;
    Profile profile;
    bool cookie;
} CompleteBody;

static const JsonField complete_fields[] = {
    {"token", JSON_FIELD_STR, offsetof(CompleteBody, token), true, .max = 100},
    {"password", JSON_FIELD_STR, offsetof(CompleteBody, password), .max = PASSWORD_BYTES_MAX},
    {"passkey_name", JSON_FIELD_STR, offsetof(CompleteBody, passkey_name), .max = PASSKEY_NAME_MAX},
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
    Agreed agreed;
    const char *phc; /* NULL: none, but a passkey */
    Passkey passkey;
    Uuid user_id;
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
    MailToken token;
    int r = mail_token_store_take(tx, MAIL_TOKEN_REGISTRATION, str_from(completion->body->token),
                                  call->now_us, call->arena, &token);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    completion->account = (Account){.key.user_id = completion->user_id,
                                    .status = ACCOUNT_ACTIVE,
                                    .role = ACCOUNT_ROLE_USER,
                                    .email = token.email,
                                    .profile = completion->body->profile,
                                    .password = completion->phc,
                                    .created_us = call->now_us};
    r = registration_open(tx, call, &completion->account,
                          completion->phc ? SESSION_METHOD_PASSWORD : SESSION_METHOD_PASSKEY,
                          completion->body->device, NULL, &completion->session, completion->token);
    if (r != 0) {
        /* Opened meanwhile by another link to the same address. */
        return r < 0 ? err_trace(r) : MAIL_TOKEN_E_NONE;
    }
    r = consent_keep(tx, call, &completion->account.key, &completion->agreed);
    if (r == 0 && !completion->phc) {
        r = passkey_store_add(tx, &completion->account.key, call->arena, &completion->passkey);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static UserFailure check_body(UserCall *call, const CompleteBody *body) {
    UserFailure failure = account_check_profile(call, &body->profile);

    if (failure == USER_FAILURE_NONE && !text_is_plain(body->device, 200)) {
        call->detail = "device: has characters that cannot be seen.";
        return USER_FAILURE_INVALID_FIELD;
    }
    return failure != USER_FAILURE_NONE || !body->password
               ? failure
               : passwords_check(call, body->password, NULL);
}

/* The passkey that the account is to begin with; the mail's token, good once, is what its challenge
 * is bound to, and the challenge says the id that the account will have. */
static UserFailure take_passkey(Completion *completion, const json_t *credential) {
    UserCall *call = completion->call;
    const char *name = completion->body->passkey_name;
    Challenge challenge;
    UserFailure failure = passkey_check_name(call, &name);

    if (failure == USER_FAILURE_NONE) {
        failure =
            passkey_created(call, credential, CHALLENGE_REGISTER, str_from(completion->body->token),
                            &completion->passkey.credential, &challenge);
    }
    if (failure == USER_FAILURE_NONE) {
        completion->passkey.name = name;
        completion->passkey.created_us = call->now_us;
        completion->user_id = challenge.subject;
    }
    return failure;
}

static UserFailure take_proof(Completion *completion, const json_t *credential) {
    const char *password = completion->body->password;

    if (!credential == !password) {
        completion->call->detail = "Send a password, or a passkey's credential.";
        return USER_FAILURE_INVALID_FIELD;
    }
    return credential ? take_passkey(completion, credential)
                      : passwords_hash(completion->call, password, &completion->phc);
}

static UserFailure complete(UserCall *call, json_t **ret_body) {
    CompleteBody body = {.device = "", .profile = {"", "", ""}, .cookie = true};
    Completion completion = {.call = call, .body = &body, .user_id = uuid_new()};
    _cleanup_(json_decrefp) json_t *credential = NULL, *agreements = NULL;
    JsonMember members[] = {{"credential"}, {"agreements"}};
    UserFailure failure =
        user_call_read_members(call, complete_fields, &body, members, ARRAY_LEN(members));
    int r;

    credential = members[0].value;
    agreements = members[1].value;
    if (failure != USER_FAILURE_NONE || (failure = check_body(call, &body)) != USER_FAILURE_NONE ||
        (failure = consent_read(call, agreements, &completion.agreed)) != USER_FAILURE_NONE) {
        return failure;
    }
    r = db_read(call->service->options.db, NULL, peek, &completion);
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : mail_link_stale(call);
    }
    failure = take_proof(&completion, credential);
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    r = db_write(call->service->options.db, open_account, &completion, read_token_noted(call));
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : mail_link_stale(call);
    }
    attempts_succeeded(call, completion.account.email);
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

typedef struct Reader {
    UserCall *call;
    Str token;
    MailToken mail;
} Reader;

enum {
    READER_E_READ = 100
};

/* Takes the token out and puts it back: only its address is wanted here. */
static int read_address(DbTx *tx, void *userdata) {
    Reader *reader = userdata;
    UserCall *call = reader->call;
    int r = mail_token_store_take(tx, MAIL_TOKEN_REGISTRATION, reader->token, call->now_us,
                                  call->arena, &reader->mail);

    if (r < 0) {
        return err_trace(r);
    }
    return r == 0 ? READER_E_READ : r;
}

typedef struct PasskeyBody {
    const char *token;
} PasskeyBody;

static const JsonField passkey_fields[] = {
    {"token", JSON_FIELD_STR, offsetof(PasskeyBody, token), true, .max = 100},
    {0},
};

static UserFailure start_passkey(UserCall *call, json_t **ret_body) {
    Reader reader = {.call = call};
    Uuid user_id = uuid_new();
    PasskeyBody body;
    UserFailure failure = user_call_read(call, passkey_fields, &body);
    int r;

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    reader.token = str_from(body.token);
    r = db_write(call->service->options.db, read_address, &reader, NULL);
    if (r != READER_E_READ) {
        return r < 0 ? user_call_fault(call, r) : mail_link_stale(call);
    }
    *ret_body = passkey_creation_options(call, CHALLENGE_REGISTER, &user_id, reader.token,
                                         reader.mail.email, NULL, NULL, 0);
    return USER_FAILURE_NONE;
}

void registration_passkey_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, start_passkey);
}
