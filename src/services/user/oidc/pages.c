/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/oidc/pages.h"

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/random.h"
#include "base/http/cookie.h"
#include "base/http/same_origin.h"
#include "services/user/issuer/part.h"

#define BROWSER_COOKIE(secure) ((secure) ? "__Host-browser" : "browser")
#define BROWSER_LEN            32

static const char style[] =
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:24rem;margin:0 auto;padding:2rem 1rem}"
    "h1{font-size:1.4rem}label{display:block;margin:1rem 0 .25rem}"
    "input{font:inherit;width:100%;box-sizing:border-box;padding:.6rem;border:1px solid #767676;"
    "border-radius:.4rem}"
    "label.tick{display:flex;gap:.6rem;align-items:flex-start;margin:1rem 0 0}"
    "label.tick input{width:1.2rem;height:1.2rem;flex:none;margin:.15rem 0 0}"
    "button{font:inherit;width:100%;padding:.7rem;margin-top:1rem;border:1px solid #1f5fbf;"
    "border-radius:.4rem;background:#1f5fbf;color:#fff;cursor:pointer}"
    "a{color:inherit}"
    "a.button{display:block;box-sizing:border-box;padding:.7rem;margin-top:.75rem;"
    "border:1px solid #767676;border-radius:.4rem;text-align:center;text-decoration:none;"
    "overflow-wrap:anywhere}"
    "button.plain{background:transparent;color:inherit;border-color:#767676}"
    ".or{margin:1.25rem 0 0;text-align:center}"
    ".problem{border-left:.25rem solid #c0392b;padding-left:.75rem}";

void oidc_style_handle(HttpRequest *request, void *context) {
    const HttpHeader headers[] = {{"Cache-Control", "public, max-age=3600"}, {0}};

    (void)context;
    http_respond(request, &(HttpResponse){.status = 200,
                                          .content_type = "text/css; charset=utf-8",
                                          .headers = headers,
                                          .body = str_from(style)});
}

const char *page_form_token(UserCall *call, const char *purpose, Str binding, const char *request) {
    _cleanup_(buf_done) Buf bytes = BUF_INIT, text = BUF_INIT;
    const Str parts[] = {str_from(purpose), binding, str_from(request)};
    uint8_t mac[DIGEST_LEN];

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        uint64_t len = parts[i].len;
        buf_add(&bytes, &len, sizeof(len));
        buf_add_str(&bytes, parts[i]);
    }
    digest_hmac((Str){(const char *)call->service->oidc->page_key, 32}, buf_str(&bytes), mac);
    base64url_encode((Str){(const char *)mac, sizeof(mac)}, &text);
    return arena_strdup(call->arena, buf_str(&text));
}

bool page_form_is_ours(UserCall *call, const Form *form, const char *purpose, Str binding,
                       const char *request) {
    const char *sent = oidc_field(call, form, "token");
    const char *right = page_form_token(call, purpose, binding, request);

    return same_origin_request(call->request, call->service->public_url) && binding.len > 0 &&
           sent && strlen(sent) == strlen(right) && digest_equal(sent, right, strlen(right));
}

const char *page_browser(UserCall *call) {
    const char *name = BROWSER_COOKIE(call->service->secure);
    const char *word = http_request_cookie(call->request, name);
    uint8_t bytes[BROWSER_LEN];
    Buf text = BUF_INIT;
    HttpCookie cookie = {.name = name,
                         .max_age_s = 86400,
                         .same_site = HTTP_SAME_SITE_LAX,
                         .secure = call->service->secure,
                         .http_only = true};

    if (word && base64url_decode_fixed(str_from(word), bytes, sizeof(bytes)) == 0) {
        return word;
    }
    random_bytes(bytes, sizeof(bytes));
    base64url_encode((Str){(const char *)bytes, sizeof(bytes)}, &text);
    word = arena_strdup(call->arena, buf_str(&text));
    buf_done(&text);
    cookie.value = word;
    if (http_cookie_format(&cookie, call->arena, &call->set_cookie) < 0) {
        abort(); /* the word is base64url, and the name keeps its prefix's rules */
    }
    return word;
}

static void add_text(Buf *out, const char *text) {
    for (; *text; text++) {
        switch (*text) {
        case '&':
            buf_addf(out, "&amp;");
            break;
        case '<':
            buf_addf(out, "&lt;");
            break;
        case '>':
            buf_addf(out, "&gt;");
            break;
        case '"':
            buf_addf(out, "&quot;");
            break;
        default:
            buf_add(out, text, 1);
        }
    }
}

static void begin(Buf *out, const char *title) {
    buf_addf(out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                  "<title>");
    add_text(out, title);
    buf_addf(out, "</title><link rel=\"stylesheet\" href=\"/oauth/style.css\"></head><body><main>"
                  "<h1>");
    add_text(out, title);
    buf_addf(out, "</h1>");
}

static void add_hidden(Buf *out, const char *name, const char *value) {
    buf_addf(out, "<input type=\"hidden\" name=\"%s\" value=\"", name);
    add_text(out, value);
    buf_addf(out, "\">");
}

/* Browsers hold redirects of a form's answer against form-action too, so the client's place has to
 * be in it. */
static const char *policy(UserCall *call, const char *redirect_uri, bool scripted) {
    Str target = {0};

    if (redirect_uri) {
        const char *slashes = strstr(redirect_uri, "://");
        bool web = slashes && strncmp(redirect_uri, "http", 4) == 0;
        size_t scheme = strcspn(redirect_uri, ":") + 1;
        /* An address in brackets is no source of a policy: its scheme is. */
        size_t len = web && slashes[3] != '['
                         ? (size_t)(slashes + 3 - redirect_uri) + strcspn(slashes + 3, "/?")
                         : scheme;
        target = (Str){redirect_uri, len};
    }
    return arena_printf(call->arena,
                        "default-src 'none'; style-src 'self'; %sform-action 'self'%s%s; "
                        "base-uri 'none'; frame-ancestors 'none'",
                        scripted ? "script-src 'self'; connect-src 'self'; " : "",
                        target.len > 0 ? " " : "", arena_strdup(call->arena, target));
}

static void respond_scripted(UserCall *call, unsigned status, const char *redirect_uri,
                             bool scripted, Buf *html) {
    /* Not "no-referrer", which is the rule elsewhere: browsers then send a form with "Origin:
     * null", and it could not be told from another site's (Fetch, "append a request `Origin`
     * header"). */
    HttpHeader headers[5] = {{"Content-Security-Policy", policy(call, redirect_uri, scripted)},
                             {"Referrer-Policy", "same-origin"}};
    size_t n = 2;

    if (call->set_cookie) {
        headers[n++] = (HttpHeader){"Set-Cookie", call->set_cookie};
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

static void respond(UserCall *call, unsigned status, const char *redirect_uri, Buf *html) {
    respond_scripted(call, status, redirect_uri, false, html);
}

void page_sign_in(UserCall *call, unsigned status, const SignInPage *page) {
    const char *browser = page_browser(call);
    Buf html = BUF_INIT;

    begin(&html, "Sign in");
    if (page->client_name) {
        buf_addf(&html, "<p>to go on to <strong>");
        add_text(&html, page->client_name);
        buf_addf(&html, "</strong></p>");
    } else {
        buf_addf(&html, "<p>to connect a device</p>");
    }
    if (page->problem) {
        buf_addf(&html, "<p class=\"problem\" role=\"alert\">");
        add_text(&html, page->problem);
        buf_addf(&html, "</p>");
    }
    buf_addf(&html, "<form method=\"post\" action=\"%s\">",
             page->client_name ? "/oauth/sign-in" : "/oauth/device/sign-in");
    add_hidden(&html, "request", page->request);
    add_hidden(&html, "token",
               page_form_token(call, PAGE_SIGN_IN_PURPOSE(page), str_from(browser), page->request));
    buf_addf(&html, "<label for=\"email\">E-mail</label><input id=\"email\" name=\"email\" "
                    "type=\"email\" autocomplete=\"username\" required value=\"");
    add_text(&html, page->email ? page->email : "");
    buf_addf(&html,
             "\"><label for=\"password\">Password</label><input id=\"password\" name=\"password\" "
             "type=\"password\" autocomplete=\"current-password\" required>"
             "<label for=\"code\">Code of your authenticator app, or a recovery code, if you have "
             "set that up</label><input id=\"code\" name=\"code\" autocomplete=\"one-time-code\">"
             "<button>Sign in</button><input type=\"hidden\" name=\"credential\"></form>"
             "<div id=\"passkey\" hidden><button type=\"button\" class=\"plain\">Sign in with a "
             "passkey</button><p role=\"alert\"></p></div>");
    issuer_add_links(call->service, page->back, page->fresh, &html);
    buf_addf(&html, "<script type=\"module\" src=\"/account/oauth-sign-in.js\"></script>");
    respond_scripted(call, status, page->redirect_uri, true, &html);
}

static const struct {
    uint32_t scope;
    const char *text;
} scope_texts[] = {
    {SCOPE_OPENID, "Know that it is you"},
    {SCOPE_PROFILE, "See your name, picture, language and time zone"},
    {SCOPE_EMAIL, "See your e-mail address"},
    {SCOPE_ACCOUNT, "Read and change your account"},
    {SCOPE_LIBRARY, "See, add to and change your photos"},
    {SCOPE_OFFLINE_ACCESS, "Keep this access while you are away, until you take it back"},
};

static void add_scopes(Buf *out, uint32_t scopes) {
    buf_addf(out, "<ul>");
    for (size_t i = 0; i < ARRAY_LEN(scope_texts); i++) {
        if (scopes & scope_texts[i].scope) {
            buf_addf(out, "<li>%s</li>", scope_texts[i].text);
        }
    }
    buf_addf(out, "</ul>");
}

void page_consent(UserCall *call, const OauthClient *client, const char *redirect_uri,
                  uint32_t scopes, const char *email, const char *request) {
    Str binding = {(const char *)call->session.secret_hash, VAULT_HASH_LEN};
    Buf html = BUF_INIT;

    begin(&html, "Allow access?");
    buf_addf(&html, "<p><strong>");
    add_text(&html, client->name);
    buf_addf(&html, "</strong> asks for access to the account <strong>");
    add_text(&html, email);
    buf_addf(&html, "</strong>. It will be able to:</p>");
    add_scopes(&html, scopes);
    buf_addf(&html, "<p>You go on to ");
    add_text(&html, redirect_uri);
    buf_addf(&html, "</p><form method=\"post\" action=\"/oauth/consent\">");
    add_hidden(&html, "request", request);
    add_hidden(&html, "token", page_form_token(call, "consent", binding, request));
    buf_addf(&html, "<button name=\"decision\" value=\"allow\">Allow</button>"
                    "<button class=\"plain\" name=\"decision\" value=\"deny\">Deny</button>"
                    "</form>");
    respond(call, 200, redirect_uri, &html);
}

void page_device_code(UserCall *call, unsigned status, const char *problem) {
    Buf html = BUF_INIT;

    begin(&html, "Connect a device");
    if (problem) {
        buf_addf(&html, "<p class=\"problem\" role=\"alert\">");
        add_text(&html, problem);
        buf_addf(&html, "</p>");
    }
    buf_addf(&html,
             "<form method=\"get\" action=\"/oauth/device\"><label for=\"user_code\">The code "
             "that your device shows</label><input id=\"user_code\" name=\"user_code\" "
             "autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" "
             "maxlength=\"20\" required><button>Go on</button></form>");
    respond(call, status, NULL, &html);
}

void page_device_consent(UserCall *call, const OauthClient *client, const DeviceRequest *request,
                         const char *shown_code, const char *email) {
    Str binding = {(const char *)call->session.secret_hash, VAULT_HASH_LEN};
    Buf html = BUF_INIT, id = BUF_INIT;

    base64url_encode((Str){(const char *)request->device_hash, DIGEST_LEN}, &id);
    begin(&html, "Connect this device?");
    buf_addf(&html, "<p><strong>");
    add_text(&html, client->name);
    buf_addf(&html, "</strong> asks for access to the account <strong>");
    add_text(&html, email);
    buf_addf(&html, "</strong>. It will be able to:</p>");
    add_scopes(&html, request->scopes);
    buf_addf(&html,
             "<p>Its code is <strong>%s</strong>. Allow it only if you have just started "
             "this yourself and your device shows the same code; nobody who is honest will "
             "ever send you one.</p><p>It was asked for from the address <strong>",
             shown_code);
    add_text(&html, request->address);
    buf_addf(&html, "</strong>");
    if (request->agent[0]) {
        buf_addf(&html, " (");
        add_text(&html, request->agent);
        buf_addf(&html, ")");
    }
    buf_addf(&html, ", %lld s ago.</p><form method=\"post\" action=\"/oauth/device\">",
             (long long)((call->now_us - request->created_us) / 1000000));
    add_hidden(&html, "request", buf_cstr(&id));
    add_hidden(&html, "token", page_form_token(call, "device", binding, buf_cstr(&id)));
    buf_addf(&html, "<button name=\"decision\" value=\"allow\">Allow</button>"
                    "<button class=\"plain\" name=\"decision\" value=\"deny\">Deny</button>"
                    "</form>");
    buf_done(&id);
    respond(call, 200, NULL, &html);
}

void page_sign_out(UserCall *call, const char *redirect_uri, const char *request) {
    Str binding = {(const char *)call->session.secret_hash, VAULT_HASH_LEN};
    Buf html = BUF_INIT;

    begin(&html, "Sign out?");
    buf_addf(&html, "<form method=\"post\" action=\"/oauth/end-session\">");
    add_hidden(&html, "request", request);
    add_hidden(&html, "token", page_form_token(call, "end-session", binding, request));
    buf_addf(&html, "<button>Sign out</button></form>");
    respond(call, 200, redirect_uri, &html);
}

void page_message(UserCall *call, unsigned status, const char *title, const char *text) {
    Buf html = BUF_INIT;

    begin(&html, title);
    buf_addf(&html, "<p>");
    add_text(&html, text);
    buf_addf(&html, "</p>");
    respond(call, status, NULL, &html);
}

void page_begin(Buf *html, const char *title) {
    begin(html, title);
}

void page_add_text(Buf *html, const char *text) {
    add_text(html, text);
}

void page_add_hidden(Buf *html, const char *name, const char *value) {
    add_hidden(html, name, value);
}
