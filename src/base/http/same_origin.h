/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Whether a request comes from our own pages, as far as the browser tells: the Fetch Metadata
 * header Sec-Fetch-Site, and Origin (RFC 6454, section 7). One that has neither is no browser's, or
 * a very old one's: browsers send Origin with what is neither GET nor HEAD (Fetch, section 3.2).
 */

#include "base/http/server.h"

/*
 * False when Sec-Fetch-Site names another site, or Origin is neither http(s):// and this request's
 * Host, nor `public_url` ("https://photos.example.com"; NULL: there is none).
 */
bool same_origin_request(HttpRequest *request, const char *public_url);
/* Whether it tells at all: has one of these headers. */
bool same_origin_is_told(HttpRequest *request);

/* The rule behind it, for tests: Origin against Host, both header values. */
bool same_origin_is_host(const char *origin, const char *host);
