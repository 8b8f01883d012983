/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTP calls whose bodies stream, to a server that the person at the command line has named, over
 * libcurl: files of any length, and answers that go on. They block, follow no redirect and may go
 * to any address, as base/http/call.h's, which is for one small call. TLS certificates are
 * verified. A session keeps its connection for the next call and belongs to one thread at a time.
 */

#include "base/http/client.h"

#define HTTP_EXCHANGE_ANSWER_MAX ((size_t)8 << 20)

typedef struct HttpSession HttpSession;

HttpSession *http_session_new(void);
HttpSession *http_session_free(HttpSession *session); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(HttpSession *, http_session_free)

/* All borrowed for the call. */
typedef struct HttpExchange {
    const char *method;         /* any */
    const char *url;            /* http or https, whole */
    const char *const *headers; /* "Name: value", after the last a NULL; NULL: none */
    Str body;                   /* what is sent when `read` is NULL; empty: nothing is */
    uint64_t body_len;          /* of what `read` gives, in all */
    /* At most `max` of the next bytes, and how many: at least 1. A negative ends the call. */
    int (*read)(void *userdata, void *bytes, size_t max, size_t *ret_n);
    /* The next bytes of an answer with that 2xx; NULL: they go to the arena, as an error's do. A
     * negative ends the call. */
    int (*write)(void *userdata, unsigned status, Str bytes);
    void *userdata;
    const char *ca_file; /* certificates to trust instead of the system's; NULL: those */
    uint32_t silence_s;  /* how long nothing may come or go */
    int stop_fd;         /* what is readable when it is to be given up; -1: nothing */
} HttpExchange;

/*
 * 0 with whatever was answered; -ENOTCONN with the reason (in the arena): no answer that is HTTP,
 * a silence, an answer that was cut, or one above HTTP_EXCHANGE_ANSWER_MAX; -EINTR: `stop_fd`
 * became readable, which is looked at once a second; or what `read` or `write` gave.
 */
int http_exchange(HttpSession *session, const HttpExchange *exchange, Arena *arena,
                  HttpClientAnswer *ret_answer, const char **reterr);
