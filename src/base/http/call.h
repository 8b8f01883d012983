/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One HTTP call to a server that the person at the command line has named, over libcurl: it blocks,
 * follows no redirect, and may go to any address, so it is nothing for what strangers name (that is
 * base/http/fetch.h). TLS certificates are verified. One thread at a time.
 */

#include "base/arena.h"

#define HTTP_CALL_BODY_MAX ((size_t)1 << 20)

typedef struct HttpCall {
    const char *url;     /* http or https */
    const char *form;    /* application/x-www-form-urlencoded: sent with POST; NULL: GET */
    const char *bearer;  /* an access token; NULL: none */
    const char *ca_file; /* certificates to trust instead of the system's; NULL: those */
    uint32_t timeout_ms;
    int stop_fd; /* what is readable when it is to be given up; -1: nothing */
} HttpCall;

typedef struct HttpAnswer {
    unsigned status;
    Str body; /* in the arena, NUL-terminated */
} HttpAnswer;

/*
 * 0 with whatever was answered; -ENOTCONN with the reason (in the arena): no answer that is HTTP,
 * or none in time, or one above HTTP_CALL_BODY_MAX; -EINTR: `stop_fd` became readable.
 */
int http_call(const HttpCall *call, Arena *arena, HttpAnswer *ret_answer, const char **reterr);
