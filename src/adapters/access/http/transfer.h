/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One POST of JSON with libcurl, on a connection that is kept for the next. Thread-safe. */

#include "base/arena.h"

typedef struct HttpClient HttpClient;

/* Copies the strings. NULL when the URL is not http(s)://HOST..., or there is no libcurl. */
HttpClient *http_client_new(const char *url, const char *ca_file, uint32_t timeout_ms);
HttpClient *http_client_free(HttpClient *client); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(HttpClient *, http_client_free)

/*
 * Posts to `path` below the URL. 0 with status and body, in the arena (at most HTTP_ANSWER_MAX
 * bytes); -ETIMEDOUT; -ECONNREFUSED: nothing was sent; -EIO: whether it arrived is not known.
 */
#define HTTP_ANSWER_MAX ((size_t)64 << 10)
typedef struct HttpAnswer {
    long status;
    Str body;
} HttpAnswer;
int http_client_post(HttpClient *client, const char *path, Str token, Str body, Arena *arena,
                     HttpAnswer *ret_answer);
