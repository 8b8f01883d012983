/* SPDX-License-Identifier: Apache-2.0 */

/* The pages of signing in with another issuer: plain HTML, no script. */

#include "services/user/oidc/pages.h"
#include "base/error.h"
#include "services/user/issuer/visit.h"
#include "services/user/sessions.h"

/* `flow` NULL: it has ended. */
static void respond(Visit *visit, unsigned status, const Flow *flow, const char *session,
                    const char *refresh, Buf *html) {
    UserCall *call = visit->call;
    /* With "no-referrer" browsers say "Origin: null" of our own forms, too (Fetch, 3.1). */
    HttpHeader headers[6] = {
        {"Set-Cookie", flow_cookie(call, call->service->issuer->flow_key, flow)},
        {"Referrer-Policy", "same-origin"}};
    size_t n = 2;

    if (session) {
        headers[n++] = (HttpHeader){"Set-Cookie", session};
    }
    if (refresh) {
        headers[n++] = (HttpHeader){"Refresh", refresh};
    }
    if (call->retry_after_s > 0) {
        headers[n++] =
            (HttpHeader){"Retry-After", arena_printf(call->arena, "%u", call->retry_after_s)};
    }
    buf_addf(html, "</main></body></html>");
    http_respond(call->request, &(HttpResponse){.status = status,
                                                .content_type = "text/html; charset=utf-8",
                                                .headers = headers,
                                                .body = buf_str(html)});
    buf_done(html);
}

static void add_text(Buf *html, const char *before, const char *text, const char *after) {
    buf_addf(html, "%s", before);
    page_add_text(html, text);
    buf_addf(html, "%s", after);
}

static void add_link(Buf *html, const char *path, const char *text) {
    add_text(html, "<p><a href=\"", path, "\">");
    add_text(html, "", text, "</a></p>");
}

void visit_page(Visit *visit, unsigned status, const char *title, const char *text,
                const char *path, const char *link) {
    Buf html = BUF_INIT;

    page_begin(&html, title);
    add_text(&html, "<p>", text, "</p>");
    add_link(&html, path, link);
    respond(visit, status, NULL, NULL, NULL, &html);
}

void visit_page_failure(Visit *visit, UserFailure failure) {
    const UserFailureInfo *info = user_failure_info(failure);
    const char *detail = visit->call->detail;
    bool signed_in = visit->flow.session && visit->flow.session[0];

    visit_page(visit, info->status, info->title, detail ? detail : "Please try again.",
               signed_in ? "/account" : "/account/sign-in",
               signed_in ? "Back to the account" : "Sign in");
}

void visit_go_back(Visit *visit, const char *token) {
    UserCall *call = visit->call;
    const char *session = token ? user_call_cookie(call, token) : NULL;
    const char *ended = flow_cookie(call, call->service->issuer->flow_key, NULL);
    HttpHeader headers[3] = {{"Set-Cookie", ended}, {session ? "Set-Cookie" : NULL, session}};
    Buf html = BUF_INIT;

    if (strcmp(http_request_method(call->request), "POST") != 0) {
        http_respond_see_other(call->request, visit->flow.back, headers);
        return;
    }
    /* A page in between: browsers hold redirects of a form's answer against form-action, and
     * `back` may lead on to a client's own place. */
    (void)flow_use(call, &visit->flow);
    page_begin(&html, "You are signed in");
    add_link(&html, visit->flow.back, "Continue");
    respond(visit, 200, NULL, session, arena_printf(call->arena, "0;url=%s", visit->flow.back),
            &html);
}

/* A later stage is a flow of its own; asked again it stays the same. */
static void turn_to(Visit *visit, FlowStage stage) {
    if (visit->flow.stage != (int)stage) {
        visit->flow.stage = stage;
        flow_begin(&visit->flow, visit->call->arena, visit->call->now_us);
    }
}

bool visit_form_is_ours(Visit *visit, const Form *form) {
    return page_form_is_ours(visit->call, form, "issuer", str_from(visit->flow.id), "");
}

static void begin_form(Visit *visit, const char *problem, Buf *html) {
    if (problem) {
        add_text(html, "<p class=\"problem\" role=\"alert\">", problem, "</p>");
    }
    buf_addf(html, "<form method=\"post\" action=\"/oauth/issuers/finish\">");
    page_add_hidden(html, "token",
                    page_form_token(visit->call, "issuer", str_from(visit->flow.id), ""));
}

static void end_form(const char *button, Buf *html) {
    buf_addf(html,
             "<button name=\"decision\" value=\"go\">%s</button>"
             "<button class=\"plain\" name=\"decision\" value=\"cancel\" formnovalidate>Cancel"
             "</button></form>",
             button);
}

void visit_page_code(Visit *visit, unsigned status, const char *problem) {
    Buf html = BUF_INIT;

    turn_to(visit, FLOW_CODE);
    page_begin(&html, "One more step");
    add_text(&html, "<p><strong>", visit->issuer->title,
             "</strong> has told us who you are. Your account also asks for a code of your "
             "authenticator app, or a recovery code.</p>");
    begin_form(visit, problem, &html);
    buf_addf(&html, "<label for=\"code\">Code</label><input id=\"code\" name=\"code\" "
                    "autocomplete=\"one-time-code\" maxlength=\"32\" required autofocus>");
    end_form("Sign in", &html);
    respond(visit, status, &visit->flow, NULL, NULL, &html);
}

/* Whether whoever is signed in here has that address, and has proved it just now. */
static bool is_owner_here(Visit *visit) {
    UserCall *call = visit->call;

    return sessions_authenticate_cookie(call) == USER_FAILURE_NONE &&
           uuid_equal(&call->session.user_id, &visit->user_id) && visit_session_is_fresh(call);
}

void visit_page_link(Visit *visit, unsigned status, const char *problem) {
    bool owner = is_owner_here(visit);
    Buf html = BUF_INIT;

    turn_to(visit, FLOW_LINK);
    page_begin(&html, "There is an account already");
    add_text(&html, "<p>The address <strong>", visit->flow.email,
             "</strong> has an account here that is not linked with <strong>");
    add_text(&html, "", visit->issuer->title, "</strong>.</p>");
    buf_addf(&html, "%s",
             owner ? "<p>You are signed in to it. Do you want to sign in with either from now "
                     "on?</p>"
                   : "<p>Sign in to that account to link the two. From then on you can sign in "
                     "with either.</p>");
    begin_form(visit, problem, &html);
    if (!owner) {
        add_text(&html, "<input type=\"hidden\" autocomplete=\"username\" name=\"email\" value=\"",
                 visit->flow.email, "\">");
        buf_addf(&html,
                 "<label for=\"password\">Password</label><input id=\"password\" "
                 "name=\"password\" type=\"password\" autocomplete=\"current-password\" required>"
                 "<label for=\"code\">Code of your authenticator app, or a recovery code, if you "
                 "have set that up</label><input id=\"code\" name=\"code\" "
                 "autocomplete=\"one-time-code\" maxlength=\"32\">");
    }
    end_form(owner ? "Link them" : "Sign in and link", &html);
    if (!owner) {
        buf_addf(&html, "<p>No password? <a href=\"/account/sign-in\">Sign in as you always "
                        "do</a>, and add ");
        page_add_text(&html, visit->issuer->title);
        buf_addf(&html, " on your account page, or <a href=\"/account/reset\">choose a "
                        "password</a>.</p>");
    }
    respond(visit, status, &visit->flow, NULL, NULL, &html);
}

static void add_tick(Buf *html, const Visit *visit, const Agreement *agreement) {
    bool ticked = false;

    for (size_t i = 0; i < visit->agreed.n; i++) {
        ticked |= visit->agreed.agreements[i] == agreement;
    }
    add_text(html, "<label class=\"tick\"><input type=\"checkbox\" name=\"agree_", agreement->id,
             "\"");
    add_text(html, " value=\"", agreement->version, "\"");
    buf_addf(html, "%s%s>", agreement->required ? " required" : "", ticked ? " checked" : "");
    add_text(html, "<span>I agree to: <a target=\"_blank\" rel=\"noopener noreferrer\" href=\"",
             agreement->url, "\">");
    add_text(html, "", agreement->title,
             agreement->required ? "</a></span></label>" : "</a> (you need not)</span></label>");
}

void visit_page_agree(Visit *visit, unsigned status, const char *problem) {
    const Agreements *agreements = visit->call->service->agreements;
    Buf html = BUF_INIT;

    visit->flow.name = visit->claims.name;
    visit->flow.locale = visit->claims.locale;
    visit->flow.zone = visit->claims.zone;
    turn_to(visit, FLOW_AGREE);
    page_begin(&html, "Open an account");
    add_text(&html, "<p>There is no account yet with <strong>", visit->flow.email, "</strong>. ");
    add_text(&html, "Open one to sign in with <strong>", visit->issuer->title, "</strong>.</p>");
    begin_form(visit, problem, &html);
    for (size_t i = 0; i < agreements->n; i++) {
        add_tick(&html, visit, &agreements->agreements[i]);
    }
    end_form("Open the account", &html);
    respond(visit, status, &visit->flow, NULL, NULL, &html);
}
