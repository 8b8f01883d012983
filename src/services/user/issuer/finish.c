/* SPDX-License-Identifier: Apache-2.0 */

/* The answer to what had to be asked: a second factor's code, the account's own password, or
 * whether somebody agrees to what an account needs. */

#include "base/crypto/digest.h"
#include "base/error.h"
#include "services/user/issuer/visit.h"
#include "services/user/oidc/pages.h"
#include "services/user/sessions.h"
#include "services/user/sign_in.h"

#define CODE_LEN_MAX 32

static int find_owner(DbTx *tx, void *userdata) {
    Visit *visit = userdata;
    UserCall *call = visit->call;
    const Vault *vault = call->service->vault;
    uint8_t hash[VAULT_HASH_LEN];
    int r;

    if (visit->flow.stage == FLOW_CODE) {
        r = identity_store_owner(tx, vault, visit->issuer->issuer, visit->flow.subject, call->arena,
                                 &visit->user_id);
    } else {
        vault_hash_email(vault, str_from(visit->flow.email), hash);
        r = account_store_find_id(tx, hash, call->arena, &visit->user_id);
    }
    return r < 0 ? err_trace(r) : r;
}

static void finish_code(Visit *visit, const Form *form) {
    UserCall *call = visit->call;
    char text[UUID_TEXT_SIZE];

    visit->code = oidc_field(call, form, "code");
    if (!visit->code || strlen(visit->code) > CODE_LEN_MAX) {
        visit->code = NULL;
        visit_page_code(visit, 400, "Please give the code.");
        return;
    }
    if (visit->flow.purpose != FLOW_PROVE) {
        visit_enter(visit);
        return;
    }
    if (sessions_authenticate_cookie(call) != USER_FAILURE_NONE ||
        !uuid_equal(&call->session.user_id, &visit->user_id)) {
        visit_page_failure(visit, USER_FAILURE_SIGNED_OUT);
        return;
    }
    uuid_text(&call->session.session_id, text);
    if (strcmp(text, visit->flow.session) != 0) {
        visit_page_failure(visit, USER_FAILURE_SIGNED_OUT);
        return;
    }
    visit_prove(visit);
}

/* With the password, as everywhere; then the session is there, and fresh. */
static bool sign_in_first(Visit *visit, const Form *form) {
    UserCall *call = visit->call;
    SignInBody body = {.email = visit->flow.email,
                       .password = oidc_field(call, form, "password"),
                       .code = oidc_field(call, form, "code"),
                       .device = "",
                       .cookie = true};
    const UserFailureInfo *info;
    UserFailure failure;

    if (!body.password || strlen(body.password) > PASSWORD_LEN_MAX ||
        (body.code && strlen(body.code) > CODE_LEN_MAX)) {
        visit_page_link(visit, 400, "Please give the password of that account.");
        return false;
    }
    sessions_look_before(call);
    failure = sign_in(call, &body, visit->token);
    if (failure == USER_FAILURE_NONE) {
        return true;
    }
    info = user_failure_info(failure);
    visit_page_link(
        visit, info->status,
        failure == USER_FAILURE_SECOND_FACTOR
            ? "Please give the code of your authenticator app, too."
        : failure == USER_FAILURE_WRONG_CREDENTIALS && !call->detail
            ? "The password is wrong."
            : arena_printf(call->arena, "%s. %s", info->title, call->detail ? call->detail : ""));
    return false;
}

static void finish_link(Visit *visit, const Form *form) {
    UserCall *call = visit->call;
    bool owner = sessions_authenticate_cookie(call) == USER_FAILURE_NONE &&
                 uuid_equal(&call->session.user_id, &visit->user_id) &&
                 visit_session_is_fresh(call);

    if (owner || sign_in_first(visit, form)) {
        visit_add(visit);
    }
}

/* What is ticked, of the versions that there are now. */
static void read_ticks(Visit *visit, const Form *form) {
    UserCall *call = visit->call;
    const Agreements *all = call->service->agreements;

    for (size_t i = 0; i < all->n; i++) {
        const Agreement *agreement = &all->agreements[i];
        const char *version =
            oidc_field(call, form, arena_printf(call->arena, "agree_%s", agreement->id));
        if (version && strcmp(version, agreement->version) == 0) {
            consent_agree(&visit->agreed, agreement);
        }
    }
}

static void finish_agree(Visit *visit, const Form *form) {
    UserCall *call = visit->call;
    const Agreement *missing;

    visit->claims = (IdentityClaims){.subject = visit->flow.subject,
                                     .email = visit->flow.email,
                                     .name = visit->flow.name,
                                     .locale = visit->flow.locale,
                                     .zone = visit->flow.zone,
                                     .email_verified = true};
    if (!visit_may_register(visit)) {
        call->detail = "Accounts here are opened by the operator.";
        visit_page_failure(visit, USER_FAILURE_FORBIDDEN);
        return;
    }
    read_ticks(visit, form);
    missing = consent_missing(call->service, &visit->agreed);
    if (missing) {
        visit_page_agree(
            visit, 400,
            arena_printf(call->arena, "To open an account, agree to: %s.", missing->title));
        return;
    }
    visit_register(visit);
}

static void finish(Visit *visit, const Form *form) {
    UserCall *call = visit->call;
    const char *decision = oidc_field(call, form, "decision");
    int r;

    if (decision && strcmp(decision, "cancel") == 0) {
        (void)flow_use(call, &visit->flow);
        visit_page(visit, 200, "Nothing was done", "You can sign in another way.",
                   "/account/sign-in", "Sign in");
        return;
    }
    if (visit->flow.stage == FLOW_AGREE) {
        finish_agree(visit, form);
        return;
    }
    r = db_read(call->service->options.db, NULL, find_owner, visit);
    if (r != 0) {
        call->detail = "The account is gone, or was changed a moment ago.";
        visit_page_failure(visit, r < 0 ? user_call_fault(call, r) : USER_FAILURE_CONFLICT);
    } else if (visit->flow.stage == FLOW_CODE) {
        finish_code(visit, form);
    } else {
        finish_link(visit, form);
    }
}

void issuer_finish_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    const UserIssuer *part = call.service->issuer;
    Visit visit = {.call = &call};
    bool good;
    Form form;

    if (!oidc_form(&call, &form)) {
        return;
    }
    good = flow_read(&call, part->flow_key, &visit.flow) && visit.flow.stage != FLOW_SENT &&
           visit_form_is_ours(&visit, &form) && !flow_was_used(&call, &visit.flow);
    visit.issuer = good ? issuers_find(part->issuers, str_from(visit.flow.issuer)) : NULL;
    if (!visit.issuer) {
        visit.flow = (Flow){0};
        visit_page(&visit, 403, "Please start again",
                   "This form was not shown by us to this browser, was used already, or is too "
                   "old.",
                   "/account/sign-in", "Sign in");
        return;
    }
    finish(&visit, &form);
}
