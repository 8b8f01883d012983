/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fetching a URL that a stranger gave, or talking to a server that an operator named: http and
 * https only, the name resolved once and pinned, every address (also after a redirect) checked
 * against base/http/netguard.h, with limits on size and time. Runs on a bounded pool of threads of
 * its own.
 */

#include "base/arena.h"
#include "base/http/netguard.h"

typedef struct Fetcher Fetcher;

typedef struct FetchOptions {
    unsigned threads;
    unsigned queue_max; /* how many may wait for a thread */
    size_t size_max;
    uint32_t timeout_ms; /* for one fetch with all its redirects */
    uint32_t connect_timeout_ms;
    unsigned redirects_max;
    const Netguard *guard;
} FetchOptions;

typedef enum FetchStatus {
    FETCH_OK,
    FETCH_BAD_URL,   /* not http(s), user info, or nothing one could fetch */
    FETCH_FORBIDDEN, /* its address is one we do not talk to */
    FETCH_TOO_LARGE,
    FETCH_FAILED, /* no such host, refused, timed out, TLS, status >= 400, too many redirects */
    FETCH_BUSY,
} FetchStatus;

typedef struct FetchResult {
    FetchStatus status;
    const char *detail; /* a sentence that leaks nothing of our network */
    int fd;             /* sealed memory file; take with TAKE_FD() */
    uint64_t len;
} FetchResult;

typedef void FetchDone(FetchResult *result, void *userdata);

/* Strings are copied. */
typedef struct FetchRequest {
    const char *url;
    const char *form;          /* POSTed as application/x-www-form-urlencoded; NULL: GET */
    const char *authorization; /* the value of the header of that name; NULL: none */
    const char *accept;        /* a media type; NULL: any */
} FetchRequest;

/* `guard` must live as long. */
int fetcher_new(const FetchOptions *options, Fetcher **ret_fetcher);
/* Cancels all, waits until each `done` was called. Accepts NULL, returns NULL. */
Fetcher *fetcher_free(Fetcher *fetcher);
DEFINE_CLEANUP(Fetcher *, fetcher_free)

/*
 * `done` is called once, on a thread of the fetcher, perhaps before this returns; FETCH_BUSY is
 * told on the calling thread, before this returns. A result's fd that is not taken is closed after
 * it.
 */
void fetcher_get(Fetcher *fetcher, const char *url, FetchDone *done, void *userdata,
                 uint64_t *ret_ticket);
/* The same with more to it. What it sends goes to each URL that it is redirected to, as GET from
 * then on: not to be used with redirects_max > 0 when it has an authorization. */
void fetcher_send(Fetcher *fetcher, const FetchRequest *request, FetchDone *done, void *userdata,
                  uint64_t *ret_ticket);
/*
 * The same, waiting for it: `ret_result` as `done` would be given it, with its strings in `arena`
 * and an fd that is the caller's to close. For threads that may wait.
 */
void fetcher_call(Fetcher *fetcher, const FetchRequest *request, Arena *arena,
                  FetchResult *ret_result);
/*
 * `done` comes soon with FETCH_FAILED, unless it was on its way; before this returns when the fetch
 * has not begun, so that its place in the queue is free at once. Unknown tickets are ignored.
 */
void fetcher_cancel(Fetcher *fetcher, uint64_t ticket);
