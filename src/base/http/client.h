/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Calls to one server that an operator has named, with libcurl, on connections that are kept for
 * the next call; they follow no redirect and no proxy. For one call at a command line there is
 * base/http/call.h, for what strangers name base/http/fetch.h. Thread-safe: as many calls at once
 * as there are threads that make one.
 */

#include "base/arena.h"

typedef struct HttpClient HttpClient;

/* Strings are copied. */
typedef struct HttpClientOptions {
    const char *url;     /* http(s)://HOST[:PORT][/PATH], without a user name */
    const char *ca_file; /* PEM of the authorities of its certificate; "" or NULL: the system's */
    uint32_t timeout_ms; /* for one call */
    /*
     * AWS Signature Version 4 by libcurl, "aws:amz:REGION:SERVICE"; NULL: calls are not signed. The
     * query of a call has to be canonical then: sorted, percent-encoded, each name with an "=". S3
     * wants a header x-amz-content-sha256, which is the caller's to give.
     */
    const char *sigv4, *access_key, *secret_key;
} HttpClientOptions;

/* NULL when the URL is none of those, or there is no libcurl. */
HttpClient *http_client_new(const HttpClientOptions *options);
HttpClient *http_client_free(HttpClient *client); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(HttpClient *, http_client_free)

/* All borrowed for the call. */
typedef struct HttpClientCall {
    const char *method;         /* GET, HEAD, PUT, POST or DELETE */
    const char *path;           /* below the client's URL, with its query, as on the wire */
    const char *const *headers; /* "Name: value", after the last a NULL; NULL: none */
    Str body;                   /* of PUT and POST */
    size_t answer_max;          /* of the answer's body, in bytes: a longer one is -EIO */
    void *into; /* where the body of a 2xx goes, at most answer_max; NULL: to the arena */
} HttpClientCall;

typedef struct HttpClientHeader {
    const char *name, *value;
} HttpClientHeader;

typedef struct HttpClientAnswer {
    long status;
    Str body; /* in the arena, NUL-terminated; or where the call had it go */
    const HttpClientHeader *headers;
    size_t n_headers;
} HttpClientAnswer;

/*
 * 0 with the answer, whatever its status; -ETIMEDOUT; -ECONNREFUSED: nothing was sent; -EIO:
 * whether it arrived is not known, or the answer was cut or too long. `into` may be written to on
 * any of these. An error's body is at most 64 KiB, or answer_max if that is more.
 */
int http_client_send(HttpClient *client, const HttpClientCall *call, Arena *arena,
                     HttpClientAnswer *ret_answer);

/* The value of the first header of that name, of any case; NULL: there is none. */
const char *http_client_header(const HttpClientAnswer *answer, const char *name);
