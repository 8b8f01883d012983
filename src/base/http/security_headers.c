/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/security_headers.h"

typedef enum Scope {
    ALWAYS,
    HTML,     /* what a browser shows as a page */
    NOT_HTML, /* data, which runs and embeds nothing wherever it is opened */
    OVER_TLS,
} Scope;

static const struct {
    Scope scope;
    HttpHeader header;
} defaults[] = {
    {ALWAYS, {"X-Content-Type-Options", "nosniff"}},
    {ALWAYS, {"Referrer-Policy", "no-referrer"}},
    {ALWAYS, {"Cache-Control", "no-store"}},
    {HTML,
     {"Content-Security-Policy",
      "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
      "base-uri 'none'; frame-ancestors 'none'"}},
    {HTML, {"X-Frame-Options", "DENY"}}, /* for browsers that do not know frame-ancestors */
    {HTML, {"Cross-Origin-Opener-Policy", "same-origin"}},
    {NOT_HTML, {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"}},
    {OVER_TLS, {"Strict-Transport-Security", "max-age=31536000"}},
};

static bool is_in_scope(Scope scope, bool html, bool tls) {
    switch (scope) {
    case HTML:
        return html;
    case NOT_HTML:
        return !html;
    case OVER_TLS:
        return tls;
    default:
        return true;
    }
}

static bool gives(const HttpResponse *response, const char *name) {
    for (const HttpHeader *header = response->headers; header && header->name; header++) {
        if (str_equal_nocase(str_from(header->name), str_from(name))) {
            return true;
        }
    }
    return false;
}

size_t security_headers(const HttpResponse *response, bool tls,
                        HttpHeader ret_headers[SECURITY_HEADERS_MAX]) {
    bool html = response->content_type &&
                str_starts_with(str_from(response->content_type), str_lit("text/html"));
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        if (is_in_scope(defaults[i].scope, html, tls) &&
            !gives(response, defaults[i].header.name)) {
            ret_headers[n++] = defaults[i].header;
        }
    }
    return n;
}
