/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Cookies as RFC 6265 (and its successor's draft, for SameSite and prefixes) has them. */

#include "base/http/server.h"

typedef enum HttpSameSite {
    HTTP_SAME_SITE_LAX,
    HTTP_SAME_SITE_STRICT,
    HTTP_SAME_SITE_NONE, /* only with `secure` */
} HttpSameSite;

/* There is no Domain: a cookie goes back to the host that set it and to no other. */
typedef struct HttpCookie {
    const char *name;  /* "__Host-..." only with `secure` and path "/"; "__Secure-..." `secure` */
    const char *value; /* visible ASCII without blanks, quotes, commas, semicolons, backslashes */
    const char *path;  /* NULL: "/" */
    int64_t max_age_s; /* 0: as long as the browser runs; negative: deletes the cookie */
    HttpSameSite same_site;
    bool secure;    /* sent over TLS alone */
    bool http_only; /* hidden from scripts */
} HttpCookie;

/*
 * The value of a Set-Cookie header, in `arena`. -EINVAL when a browser would refuse the cookie or
 * read another one in it: a wrong character, a broken rule of a prefix.
 */
int http_cookie_format(const HttpCookie *cookie, Arena *arena, const char **ret_value);

/*
 * The value of the first cookie of that name (case matters) that the client sent, or NULL. Comes
 * from outside like any header; lives as long as the request.
 */
const char *http_request_cookie(HttpRequest *request, const char *name);
