/* SPDX-License-Identifier: Apache-2.0 */

/* Signing out because a client says so (OpenID Connect RP-Initiated Logout 1.0). */

#include "base/crypto/jwt.h"
#include "base/error.h"
#include "services/user/oidc/pages.h"
#include "services/user/read_token.h"
#include "services/user/sessions.h"

#define HINT_LEEWAY_S (10u * 365 * 86400) /* an ID token is a hint long after it has expired */

typedef struct EndSession {
    UserCall *call;
    const char *request;      /* what the form confirms */
    const char *redirect_uri; /* NULL: nowhere */
    bool is_hinted;           /* the hint is of this very session: nobody need be asked */
} EndSession;

static const char *const names[] = {"id_token_hint", "client_id", "post_logout_redirect_uri",
                                    "state"};

/* NULL: there is none, or it cannot be known now. */
static const OauthClient *find_client(UserCall *call, const char *id) {
    const OauthClient *client = NULL;
    int r = oidc_find_client(call, str_from(id), &client);

    if (r < 0) {
        (void)user_call_fault(call, r); /* logs it */
    }
    return client;
}

static const OauthClient *read_hint(EndSession *end, const char *hint) {
    UserCall *call = end->call;
    const JwtExpect expect = {.typ = "JWT",
                              .issuer = call->service->public_url,
                              .now_s = call->now_us / 1000000,
                              .leeway_s = HINT_LEEWAY_S};
    _cleanup_(jwks_freep) Jwks *keys = signing_keys_set(call->service->oidc->keys);
    _cleanup_(json_decrefp) json_t *claims = NULL;
    char session[UUID_TEXT_SIZE];
    const char *sid, *audience;

    if (jwt_verify(str_from(hint), keys, &expect, &claims) != 0) {
        return NULL;
    }
    uuid_text(&call->session.session_id, session);
    sid = json_string_value(json_object_get(claims, "sid"));
    audience = json_string_value(json_object_get(claims, "aud"));
    end->is_hinted = call->signed_in && sid && strcmp(sid, session) == 0;
    /* The claims end here; what is found by them does not. */
    return audience ? find_client(call, arena_strdup(call->arena, str_from(audience))) : NULL;
}

/* False: it was answered. */
static bool read_request(EndSession *end) {
    UserCall *call = end->call;
    const char *detail, *hint, *id, *uri, *state;
    const OauthClient *client = NULL;
    _cleanup_(buf_done) Buf target = BUF_INIT;
    Form form;

    if (form_parse("application/x-www-form-urlencoded", str_from(end->request), call->arena, &form,
                   &detail) != 0) {
        page_message(call, 400, "This link does not work", "It is not what it should be.");
        return false;
    }
    hint = oidc_field(call, &form, "id_token_hint");
    id = oidc_field(call, &form, "client_id");
    uri = oidc_field(call, &form, "post_logout_redirect_uri");
    state = oidc_field(call, &form, "state");
    if (hint) {
        client = read_hint(end, hint);
    } else if (id) {
        client = find_client(call, id);
    }
    if ((hint && !client) || (client && id && strcmp(client->id, id) != 0) ||
        (uri &&
         (!client || !oauth_uri_is_registered(client->post_logout_redirect_uris, str_from(uri))))) {
        page_message(call, 400, "This link does not work",
                     "The program that sent you wants to go on at a place that is not its.");
        return false;
    }
    if (uri && state) {
        oidc_add_param(&target, "state", state);
    }
    end->redirect_uri = !uri ? NULL
                             : arena_printf(call->arena, "%s%s%s", uri,
                                            target.len == 0    ? ""
                                            : strchr(uri, '?') ? "&"
                                                               : "?",
                                            buf_cstr(&target));
    return true;
}

static int remove_session(DbTx *tx, void *userdata) {
    UserCall *call = userdata;
    AuditEvent event = user_call_event(call, "session.removed", NULL);
    _cleanup_(account_done) Account account = {0};
    int r = session_store_remove(tx, &call->session.user_id, &call->session.session_id);

    if (r == 0) {
        r = account_store_get(tx, call->service->vault, &call->session.user_id, call->arena,
                              &account);
    }
    if (r == 0) {
        r = audit_append(tx, call->service->vault, &account.key, call->now_us, call->arena, &event);
    }
    return r < 0 ? err_trace(r) : 0;
}

static void finish(EndSession *end) {
    UserCall *call = end->call;
    const char *cookie = user_call_cookie(call, NULL);
    const HttpHeader headers[] = {{"Set-Cookie", cookie}, {0}};

    if (call->signed_in) {
        int r = db_write(call->service->options.db, remove_session, call, read_token_noted(call));
        if (r != 0) {
            page_message(call, user_failure_info(user_call_fault(call, r))->status,
                         "You are still signed in", "Please try again in a moment.");
            return;
        }
        read_token_keep(call, USER_FAILURE_NONE);
        sessions_forget(call, &call->session.session_id, 1);
    }
    if (end->redirect_uri) {
        http_respond_see_other(call->request, end->redirect_uri, headers);
        return;
    }
    call->set_cookie = cookie;
    page_message(call, 200, "You are signed out", "You may close this page.");
}

void oidc_end_session_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    EndSession end = {.call = &call};
    _cleanup_(buf_done) Buf query = BUF_INIT;

    (void)sessions_authenticate_cookie(&call); /* who is not signed in is signed out */
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = http_request_query(request, names[i]);
        if (value && value[0]) {
            oidc_add_param(&query, names[i], value);
        }
    }
    end.request = buf_cstr(&query);
    if (!read_request(&end)) {
        return;
    }
    if (call.signed_in && !end.is_hinted) {
        page_sign_out(&call, end.redirect_uri, end.request);
    } else {
        finish(&end);
    }
}

/* Our own form with a token; or a client's, which is read as a link. */
void oidc_end_session_post_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    EndSession end = {.call = &call};
    _cleanup_(buf_done) Buf query = BUF_INIT;
    Str binding = {0};
    const FormField *own;
    Form form;

    if (!oidc_form(&call, &form)) {
        return;
    }
    if (!form_find(&form, "token")) {
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            const char *value = oidc_field(&call, &form, names[i]);
            if (value) {
                oidc_add_param(&query, names[i], value);
            }
        }
        http_respond_see_other(
            request, arena_printf(call.arena, "/oauth/end-session?%s", buf_cstr(&query)), NULL);
        return;
    }
    if (sessions_authenticate_cookie(&call) == USER_FAILURE_NONE) {
        binding = (Str){(const char *)call.session.secret_hash, VAULT_HASH_LEN};
    }
    own = form_find(&form, "request");
    end.request = own ? arena_strdup(call.arena, own->value) : "";
    if (!page_form_is_ours(&call, &form, "end-session", binding, end.request)) {
        page_message(&call, 403, "Please start again",
                     "This form was not shown by us to this browser, or you are signed out.");
        return;
    }
    if (read_request(&end)) {
        finish(&end);
    }
}
