/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Signing in with address and password, and a second factor where there is one. What it answers and
 * how long it takes does not tell whether there is an account.
 */

#include "services/user/sign_in.h"

#include "base/error.h"
#include "services/user/account_json.h"
#include "services/user/attempts.h"
#include "services/user/mails.h"
#include "services/user/passkey/part.h"
#include "services/user/passwords.h"
#include "services/user/privacy/erasure_mail.h"
#include "services/user/profile.h"
#include "services/user/read_token.h"
#include "services/user/second_factor.h"
#include "services/user/sessions.h"
#include "services/user/text.h"

static const JsonField sign_in_fields[] = {
    {"email", JSON_FIELD_STR, offsetof(SignInBody, email), true, .max = EMAIL_LEN_MAX + 2},
    {"password", JSON_FIELD_STR, offsetof(SignInBody, password), true, .max = PASSWORD_BYTES_MAX},
    {"code", JSON_FIELD_STR, offsetof(SignInBody, code), .max = 32},
    {"device", JSON_FIELD_STR, offsetof(SignInBody, device), .max = 200},
    {"cookie", JSON_FIELD_BOOL, offsetof(SignInBody, cookie)},
    {0},
};

enum {
    SIGN_IN_E_CHANGED = 210, /* another password since it was compared */
};

typedef struct SignIn {
    UserCall *call;
    const SignInBody *body;
    const char *email; /* in canonical form, or nobody's */
    uint8_t email_hash[VAULT_HASH_LEN];
    Account account;     /* as it was when the password was compared, then as it was written */
    const char *new_phc; /* NULL: the old one stays */
    uint32_t methods;
    Session session;
    char token[SESSION_TOKEN_LEN + 1];
} SignIn;

static int find(DbTx *tx, void *userdata) {
    SignIn *attempt = userdata;

    return account_store_find(tx, attempt->call->service->vault, attempt->email_hash,
                              attempt->call->arena, &attempt->account);
}

static int open_or_reopen(DbTx *tx, UserCall *call, const UserKey *key, uint32_t methods,
                          const char *device, Session *ret_session,
                          char ret_token[SESSION_TOKEN_LEN + 1]) {
    return call->before ? sessions_reopen(tx, call, key, methods, call->before, device, ret_session,
                                          ret_token)
                        : sessions_open(tx, call, key, methods, device, ret_session, ret_token);
}

int sign_in_open(DbTx *tx, UserCall *call, Account *account, const SignInProof *proof,
                 Session *ret_session, char ret_token[SESSION_TOKEN_LEN + 1]) {
    const Vault *vault = call->service->vault;
    AuditEvent event = user_call_event(call, "session.created", proof->subject);
    uint32_t methods = proof->methods;
    int r;

    if (account->status == ACCOUNT_LOCKED ||
        (account->status == ACCOUNT_ERASING && account->erase_us <= call->now_us)) {
        return SIGN_IN_E_LOCKED;
    }
    if (!(methods & SESSION_METHOD_PASSKEY)) {
        r = second_factor_use(tx, call, account, proof->code, &methods);
        if (r != 0) {
            return r < 0 ? err_trace(r) : r;
        }
    }
    call->called_off = account->status == ACCOUNT_ERASING;
    if (call->called_off) { /* whoever comes back wants to stay */
        r = erasure_call_off(tx, vault, call->arena, account, call->now_us, &event);
        if (r < 0) {
            return err_trace(r);
        }
    }
    if ((r = account_store_put(tx, vault, call->arena, account)) != 0 ||
        (r = open_or_reopen(tx, call, &account->key, methods, proof->device, ret_session,
                            ret_token)) != 0 ||
        (r = audit_append(tx, vault, &account->key, call->now_us, call->arena, &event)) != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    return 0;
}

void sign_in_opened(UserCall *call, const char *email) {
    sessions_forget_before(call);
    if (call->called_off) {
        erasure_mail_called_off(call->service, email);
    }
}

static int open_session(DbTx *tx, void *userdata) {
    SignIn *attempt = userdata;
    UserCall *call = attempt->call;
    const SignInProof proof = {SESSION_METHOD_PASSWORD, attempt->body->code, attempt->body->device,
                               NULL};
    _cleanup_(account_done) Account account = {0};
    int r = account_store_get(tx, call->service->vault, &attempt->account.key.user_id, call->arena,
                              &account);

    if (r != 0) {
        return r < 0 ? err_trace(r) : SIGN_IN_E_CHANGED;
    }
    if (!account.password || strcmp(account.password, attempt->account.password) != 0) {
        return SIGN_IN_E_CHANGED;
    }
    account.password = attempt->new_phc ? attempt->new_phc : account.password;
    r = sign_in_open(tx, call, &account, &proof, &attempt->session, attempt->token);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    attempt->methods = attempt->session.methods;
    account_done(&attempt->account);
    attempt->account = account;
    account = (Account){0};
    return 0;
}

static int note_refusal(DbTx *tx, void *userdata) {
    SignIn *attempt = userdata;
    AuditEvent event = user_call_event(attempt->call, "session.refused", NULL);

    return audit_append(tx, attempt->call->service->vault, &attempt->account.key,
                        attempt->call->now_us, attempt->call->arena, &event);
}

static UserFailure refuse(SignIn *attempt, UserFailure failure) {
    UserCall *call = attempt->call;

    metric_add(call->service->metrics.sign_ins_refused, 1);
    if (attempt->account.email && failure == USER_FAILURE_WRONG_CREDENTIALS) {
        call->whose = attempt->account.key.user_id;
        /* Best effort: a trail that cannot be written must not tell more than the answer does. */
        (void)db_write(call->service->options.db, note_refusal, attempt, read_token_noted(call));
    }
    return failure;
}

/* What open_session() came to, for the one who signs in. */
static UserFailure explain(SignIn *attempt, int r) {
    UserCall *call = attempt->call;

    switch (r) {
    case SECOND_FACTOR_E_MISSING:
        call->detail = "Send the code of your authenticator app, or a recovery code, as \"code\".";
        return USER_FAILURE_SECOND_FACTOR;
    case SECOND_FACTOR_E_WRONG:
        call->detail = "The code is wrong, or was used already.";
        return refuse(attempt, USER_FAILURE_WRONG_CREDENTIALS);
    case SIGN_IN_E_LOCKED:
        call->detail = "Please ask the operator of this service.";
        return refuse(attempt, USER_FAILURE_LOCKED);
    case SIGN_IN_E_CHANGED:
        return refuse(attempt, USER_FAILURE_WRONG_CREDENTIALS);
    default:
        return user_call_fault(call, r < 0 ? r : -EIO);
    }
}

/* Whoever guesses at codes has the password already. */
static UserFailure take_code(SignIn *attempt) {
    return attempt->body->code && attempt->account.totp.len > 0
               ? attempts_take_code(attempt->call, attempt->email)
               : USER_FAILURE_NONE;
}

/* Compares the password, with or without an account. */
static UserFailure compare(SignIn *attempt) {
    UserCall *call = attempt->call;
    UserFailure failure;
    bool outdated = false;
    int r = db_read(call->service->options.db, NULL, find, attempt);

    if (r < 0) {
        return user_call_fault(call, r);
    }
    failure = passwords_verify(call, attempt->body->password,
                               r == 0 ? attempt->account.password : NULL, &outdated);
    if (failure == USER_FAILURE_WRONG_CREDENTIALS) {
        return refuse(attempt, failure);
    }
    if (failure == USER_FAILURE_NONE && outdated) {
        failure = passwords_hash(call, attempt->body->password, &attempt->new_phc);
    }
    return failure;
}

static UserFailure sign_in_with(SignIn *attempt) {
    UserCall *call = attempt->call;
    UserFailure failure = attempts_take_account(call, attempt->email);
    int r;

    if (failure != USER_FAILURE_NONE || (failure = compare(attempt)) != USER_FAILURE_NONE ||
        (failure = take_code(attempt)) != USER_FAILURE_NONE) {
        return failure;
    }
    r = db_write(call->service->options.db, open_session, attempt, read_token_noted(call));
    if (r != 0) {
        return explain(attempt, r);
    }
    attempts_succeeded(call, attempt->email);
    sign_in_opened(call, attempt->account.email);
    if (attempt->methods & SESSION_METHOD_RECOVERY) {
        mails_notice(call->service, MAIL_NOTICE_RECOVERY_USED, attempt->account.email);
    }
    metric_add(call->service->metrics.sign_ins, 1);
    return USER_FAILURE_NONE;
}

/* Fills what has to be known of the address, and signs in. */
static UserFailure sign_in_as(SignIn *attempt) {
    UserCall *call = attempt->call;

    if (email_canonical(str_from(attempt->body->email), call->arena, &attempt->email) < 0) {
        attempt->email = attempt->body->email; /* nobody's, and takes as long as anybody's */
    }
    vault_hash_email(call->service->vault, str_from(attempt->email), attempt->email_hash);
    return sign_in_with(attempt);
}

UserFailure sign_in(UserCall *call, const SignInBody *body, char ret_token[SESSION_TOKEN_LEN + 1]) {
    SignIn attempt = {.call = call, .body = body};
    UserFailure failure = sign_in_as(&attempt);

    if (failure == USER_FAILURE_NONE) {
        call->session = attempt.session;
        call->signed_in = true;
        memcpy(ret_token, attempt.token, SESSION_TOKEN_LEN + 1);
    }
    read_token_keep(call, failure); /* here, because pages end their calls in their own way */
    profile_forget(call);
    account_done(&attempt.account);
    return failure;
}

static UserFailure create(UserCall *call, json_t **ret_body) {
    SignInBody body = {.device = "", .cookie = true};
    SignIn attempt = {.call = call, .body = &body};
    UserFailure failure = user_call_read(call, sign_in_fields, &body);

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (!text_is_plain(body.device, 200)) {
        call->detail = "device: has characters that cannot be seen.";
        return USER_FAILURE_INVALID_FIELD;
    }
    if (body.cookie) {
        sessions_look_before(call);
    }
    failure = sign_in_as(&attempt);
    if (failure == USER_FAILURE_NONE) {
        *ret_body = sessions_opened_json(call, &attempt.account, &attempt.session, attempt.token,
                                         body.cookie);
        call->status = 201;
    }
    account_done(&attempt.account);
    return failure;
}

void session_create_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, create);
}

typedef struct ProofBody {
    const char *password, *code;
} ProofBody;

static const JsonField proof_fields[] = {
    {"password", JSON_FIELD_STR, offsetof(ProofBody, password), .max = PASSWORD_BYTES_MAX},
    {"code", JSON_FIELD_STR, offsetof(ProofBody, code), .max = 32},
    {0},
};

static int load_own(DbTx *tx, void *userdata) {
    SignIn *attempt = userdata;

    return account_store_get(tx, attempt->call->service->vault, &attempt->call->session.user_id,
                             attempt->call->arena, &attempt->account);
}

static int renew_proof(DbTx *tx, void *userdata) {
    SignIn *attempt = userdata;
    UserCall *call = attempt->call;
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    if (r == 0) {
        attempt->methods = SESSION_METHOD_PASSWORD;
        r = second_factor_use(tx, call, &account, attempt->body->code, &attempt->methods);
    }
    if (r == 0) {
        r = account_store_put(tx, call->service->vault, call->arena, &account);
    }
    if (r == 0) {
        r = session_store_authenticated(tx, &call->session, attempt->methods, call->now_us);
    }
    return r < 0 ? err_trace(r) : r;
}

static UserFailure prove(UserCall *call, json_t **ret_body) {
    _cleanup_(json_decrefp) json_t *credential = NULL;
    ProofBody proof = {0};
    UserFailure failure =
        user_call_read_with(call, proof_fields, &proof, "credential", &credential);
    const SignInBody body = {.password = proof.password, .code = proof.code};
    SignIn attempt = {.call = call, .body = &body};
    int r;

    *ret_body = NULL;
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (!credential == !proof.password) {
        call->detail = "Send the password, or a passkey's credential.";
        return USER_FAILURE_INVALID_FIELD;
    }
    if (credential) {
        return passkey_prove(call, credential);
    }
    r = db_read(call->service->options.db, NULL, load_own, &attempt);
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    attempt.email = attempt.account.email;
    failure = attempts_take_account(call, attempt.email);
    if (failure == USER_FAILURE_NONE) {
        failure = passwords_verify(call, proof.password, attempt.account.password, NULL);
    }
    if (failure == USER_FAILURE_NONE) {
        failure = take_code(&attempt);
    }
    if (failure == USER_FAILURE_NONE) {
        r = db_write(call->service->options.db, renew_proof, &attempt, read_token_noted(call));
        failure = r == 0 ? USER_FAILURE_NONE : explain(&attempt, r);
        if (r == 0) {
            attempts_succeeded(call, attempt.email);
            sessions_forget(call, &call->session.session_id, 1);
        }
    }
    account_done(&attempt.account);
    return failure;
}

void session_proof_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SESSION, prove);
}
