/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Signing in with a passkey, and proving with one that it is still the same. The signature is
 * verified between two transactions, so that no stranger's rubbish holds up a writer; the second
 * looks at everything anew, uses the challenge up and takes the count.
 */

#include "base/error.h"
#include "services/user/account_json.h"
#include "services/user/attempts.h"
#include "services/user/mails.h"
#include "services/user/passkey/credential.h"
#include "services/user/passkey/part.h"
#include "services/user/read_token.h"
#include "services/user/sessions.h"
#include "services/user/sign_in.h"
#include "services/user/text.h"

enum {
    ASSERTION_E_UNKNOWN = 300, /* no such account or passkey, or not any more */
    ASSERTION_E_BEHIND,        /* its count does not follow: there is a copy of it */
};

static const char unknown[] = "This passkey is not known here, or was removed.";

typedef struct Assertion {
    UserCall *call;
    bool renews; /* the proof of call->session, instead of opening one */
    const char *device;
    SentCredential sent;
    Uuid user_id;
    Challenge challenge;
    uint32_t sign_count;
    Str verified_key;       /* that the signature is right with */
    const char *refused_as; /* the audit trail's word for it */
    /* Transactions'. */
    Account account;
    Passkey passkey;
    Session session;
    char token[SESSION_TOKEN_LEN + 1];
} Assertion;

static void assertion_done(Assertion *assertion) {
    account_done(&assertion->account);
}

static int load(DbTx *tx, void *userdata) {
    Assertion *assertion = userdata;
    UserCall *call = assertion->call;
    int r;

    account_done(&assertion->account);
    r = account_store_get(tx, call->service->vault, &assertion->user_id, call->arena,
                          &assertion->account);
    if (r == 0) {
        r = passkey_store_get(tx, &assertion->account.key, assertion->sent.id, call->arena,
                              &assertion->passkey);
    }
    return r <= 0 ? (r < 0 ? err_trace(r) : 0) : ASSERTION_E_UNKNOWN;
}

static int note_refusal(DbTx *tx, void *userdata) {
    Assertion *assertion = userdata;
    UserCall *call = assertion->call;
    AuditEvent event = user_call_event(call, assertion->refused_as, assertion->passkey.name);

    return audit_append(tx, call->service->vault, &assertion->account.key, call->now_us,
                        call->arena, &event);
}

static UserFailure refuse(Assertion *assertion, const char *detail) {
    UserCall *call = assertion->call;

    metric_add(call->service->metrics.sign_ins_refused, 1);
    if (assertion->refused_as) {
        /* Best effort: a trail that cannot be written must not tell more than the answer does. */
        call->whose = assertion->user_id;
        (void)db_write(call->service->options.db, note_refusal, assertion, read_token_noted(call));
    }
    call->detail = detail;
    return USER_FAILURE_PASSKEY;
}

static int let_in(DbTx *tx, void *userdata) {
    Assertion *assertion = userdata;
    UserCall *call = assertion->call;
    const Vault *vault = call->service->vault;
    AuditEvent event = user_call_event(call, "passkey.used", assertion->passkey.name);
    int r = load(tx, assertion);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    if (!str_equal(assertion->verified_key, assertion->passkey.credential.public_key)) {
        return ASSERTION_E_UNKNOWN;
    }
    if (!webauthn_count_follows(assertion->passkey.credential.sign_count, assertion->sign_count)) {
        return ASSERTION_E_BEHIND;
    }
    if ((r = passkey_store_spend(tx, &assertion->user_id, &assertion->challenge, call->now_us)) !=
            0 ||
        (r = passkey_store_used(tx, &assertion->user_id, assertion->sent.id, assertion->sign_count,
                                call->now_us)) != 0 ||
        (r = audit_append(tx, vault, &assertion->account.key, call->now_us, call->arena, &event)) !=
            0) {
        return r < 0 ? err_trace(r) : r;
    }
    if (assertion->renews) {
        r = session_store_authenticated(tx, &call->session, SESSION_METHOD_PASSKEY, call->now_us);
    } else {
        const SignInProof proof = {SESSION_METHOD_PASSKEY, NULL, assertion->device, NULL};
        r = sign_in_open(tx, call, &assertion->account, &proof, &assertion->session,
                         assertion->token);
    }
    return r < 0 ? err_trace(r) : r;
}

/* What let_in() came to. */
static UserFailure explain(Assertion *assertion, int r) {
    UserCall *call = assertion->call;

    switch (r) {
    case ASSERTION_E_UNKNOWN:
        return refuse(assertion, unknown);
    case ASSERTION_E_BEHIND:
        assertion->refused_as = "passkey.copied";
        mails_notice(call->service, MAIL_NOTICE_PASSKEY_COPIED, assertion->account.email);
        return refuse(assertion, "This passkey seems to have been copied. Remove it.");
    case PASSKEY_E_SPENT:
        assertion->refused_as = "session.refused";
        return refuse(assertion, "The challenge was used already: ask for a new one.");
    case SIGN_IN_E_LOCKED:
        metric_add(call->service->metrics.sign_ins_refused, 1);
        call->detail = "Please ask the operator of this service.";
        return USER_FAILURE_LOCKED;
    default:
        return user_call_fault(call, r < 0 ? r : -EIO);
    }
}

static UserFailure read_credential(Assertion *assertion, const json_t *credential) {
    UserCall *call = assertion->call;
    const UserPasskeys *passkeys = call->service->passkeys;
    const char *detail = NULL;
    Str challenge;

    if (credential_read_assertion(credential, call->arena, &assertion->sent, &detail) < 0) {
        call->detail = arena_printf(call->arena, "%s: missing or of a wrong type.", detail);
        return USER_FAILURE_INVALID_FIELD;
    }
    if (webauthn_client_data(assertion->sent.client_data, WEBAUTHN_GET, &passkeys->party,
                             call->arena, &challenge, &detail) != 0) {
        return refuse(assertion, detail);
    }
    if (challenge_open(passkeys->challenge_key, CHALLENGE_SIGN_IN, (Str){0}, challenge,
                       call->now_us, &assertion->challenge) != 0) {
        return refuse(assertion, "The challenge is too old, or not ours: ask for a new one.");
    }
    if (assertion->renews) {
        assertion->user_id = call->session.user_id;
        if (assertion->sent.has_user &&
            !uuid_equal(&assertion->sent.user_id, &assertion->user_id)) {
            return refuse(assertion, "This passkey is of another account.");
        }
        return USER_FAILURE_NONE;
    }
    if (!assertion->sent.has_user) {
        call->detail = "credential.response.userHandle: it says whose the passkey is.";
        return USER_FAILURE_INVALID_FIELD;
    }
    assertion->user_id = assertion->sent.user_id;
    return USER_FAILURE_NONE;
}

static UserFailure verify(Assertion *assertion) {
    UserCall *call = assertion->call;
    const SentCredential *sent = &assertion->sent;
    const char *detail = NULL;
    int r = db_read(call->service->options.db, NULL, load, assertion);

    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : refuse(assertion, unknown);
    }
    r = webauthn_assert(&call->service->passkeys->party, &assertion->passkey.credential,
                        sent->client_data, sent->authenticator_data, sent->signature,
                        &assertion->sign_count, &detail);
    if (r > 0) {
        assertion->refused_as = "session.refused";
        return refuse(assertion, detail);
    }
    assertion->verified_key = assertion->passkey.credential.public_key;
    return r < 0 ? user_call_fault(call, r) : USER_FAILURE_NONE;
}

static UserFailure judge(Assertion *assertion, const json_t *credential) {
    UserCall *call = assertion->call;
    /* Nobody guesses signatures: this is so that nobody keeps us busy with them. */
    UserFailure failure = attempts_take_network(call);
    int r;

    if (failure != USER_FAILURE_NONE ||
        (failure = read_credential(assertion, credential)) != USER_FAILURE_NONE ||
        (failure = verify(assertion)) != USER_FAILURE_NONE) {
        return failure;
    }
    r = db_write(call->service->options.db, let_in, assertion, read_token_noted(call));
    if (r != 0) {
        return explain(assertion, r);
    }
    attempts_succeeded(call, assertion->account.email);
    return USER_FAILURE_NONE;
}

UserFailure passkey_sign_in(UserCall *call, const json_t *credential, const char *device,
                            Account *ret_account, char ret_token[SESSION_TOKEN_LEN + 1]) {
    _cleanup_(assertion_done) Assertion assertion = {.call = call, .device = device};
    UserFailure failure = judge(&assertion, credential);

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    sign_in_opened(call, assertion.account.email);
    metric_add(call->service->metrics.sign_ins, 1);
    call->session = assertion.session;
    call->signed_in = true;
    memcpy(ret_token, assertion.token, SESSION_TOKEN_LEN + 1);
    *ret_account = assertion.account;
    assertion.account = (Account){0};
    return USER_FAILURE_NONE;
}

UserFailure passkey_prove(UserCall *call, const json_t *credential) {
    _cleanup_(assertion_done) Assertion assertion = {.call = call, .renews = true};
    UserFailure failure = judge(&assertion, credential);

    if (failure == USER_FAILURE_NONE) {
        sessions_forget(call, &call->session.session_id, 1);
    }
    return failure;
}

typedef struct SignInPasskey {
    const char *device;
    bool cookie;
} SignInPasskey;

static const JsonField sign_in_fields[] = {
    {"device", JSON_FIELD_STR, offsetof(SignInPasskey, device), .max = 200},
    {"cookie", JSON_FIELD_BOOL, offsetof(SignInPasskey, cookie)},
    {0},
};

static UserFailure create(UserCall *call, json_t **ret_body) {
    _cleanup_(json_decrefp) json_t *credential = NULL;
    _cleanup_(account_done) Account account = {0};
    SignInPasskey body = {.device = "", .cookie = true};
    char token[SESSION_TOKEN_LEN + 1];
    UserFailure failure =
        user_call_read_with(call, sign_in_fields, &body, "credential", &credential);

    if (failure == USER_FAILURE_NONE && !text_is_plain(body.device, 200)) {
        call->detail = "device: has characters that cannot be seen.";
        return USER_FAILURE_INVALID_FIELD;
    }
    if (failure == USER_FAILURE_NONE) {
        if (body.cookie) {
            sessions_look_before(call);
        }
        failure = passkey_sign_in(call, credential, body.device, &account, token);
    }
    if (failure == USER_FAILURE_NONE) {
        *ret_body = sessions_opened_json(call, &account, &call->session, token, body.cookie);
        call->status = 201;
    }
    return failure;
}

void session_passkey_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, create);
}

/* Which passkeys there are is not said: the browser knows those that were made for us. */
static UserFailure challenge(UserCall *call, json_t **ret_body) {
    static const Uuid anybody;
    const UserPasskeys *passkeys = call->service->passkeys;
    char text[CHALLENGE_LEN + 1];

    challenge_new(passkeys->challenge_key, CHALLENGE_SIGN_IN, &anybody, (Str){0}, call->now_us,
                  text);
    *ret_body = json_pack("{s:{s:s,s:s,s:i,s:s,s:[]}}", "publicKey", "challenge", text, "rpId",
                          passkeys->party.id, "timeout", CHALLENGE_LIFE_S * 1000,
                          "userVerification", "required", "allowCredentials");
    return USER_FAILURE_NONE;
}

void passkey_challenge_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, challenge);
}
