/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The headers that every reply carries so that browsers take it for what it is and nothing more:
 * no guessing of types, no address passed on, no frames, no scripts but a page's own, nothing kept
 * in caches. A handler that wants another value gives the header itself. See the OWASP Secure
 * Headers Project.
 */

#include "base/http/server.h"

#define SECURITY_HEADERS_MAX 8

/*
 * Those that the response does not give itself; without Strict-Transport-Security when the server
 * does not speak TLS, since browsers ignore it then. Returns how many.
 */
size_t security_headers(const HttpResponse *response, bool tls,
                        HttpHeader ret_headers[SECURITY_HEADERS_MAX]);
