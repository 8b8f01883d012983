/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Bodies that arrive and leave in pieces, for what is too large to be held in memory or has no end:
 * uploads and downloads of any size, and server-sent events. A connection that waits, for its
 * client or for us, holds no thread.
 */

#include "base/http/server.h"

/* Most in a piece of a body, and most that is held of one that arrives: of a long one
 * (HttpOptions.body_long_min), and of another. */
#define HTTP_BODY_PIECE_MAX     ((size_t)1 << 20)
#define HTTP_BODY_HELD_LONG_MAX (4 * HTTP_BODY_PIECE_MAX)
#define HTTP_BODY_HELD_MAX      ((size_t)4 * 128 * 1024)

/*
 * A body that is taken in pieces, by a route that names one; its `handle` and `quick` are NULL. All
 * three run on the route's executor, one at a time for a request; while none runs, no thread is
 * held. HttpOptions.receive_timeout_s is the limit on the client's silence, and body_memory_max
 * counts what is held of each. When the executor is full a request gets 503 before it
 * begins, and waits once it has.
 */
typedef enum HttpBodyEnd {
    HTTP_BODY_WHOLE,
    HTTP_BODY_CUT, /* the client went away, was too slow, or sent more than body_max */
} HttpBodyEnd;

typedef struct HttpBodyStream {
    /*
     * The head is there; nothing of the body has been read, and "100 Continue" not been sent. Gives
     * the state, or NULL: it has answered, and the body is not read (the connection closes when
     * there is one).
     */
    void *(*begin)(HttpRequest *request, void *context);
    /* The next bytes (at least 1), borrowed: they stay as they are until the call after the next
     * has returned. false: it has answered, has freed its state, and no more is read. */
    bool (*piece)(HttpRequest *request, void *state, Str bytes);
    /*
     * The last call. Must answer, now or later from any thread (nobody reads it after
     * HTTP_BODY_CUT), and free the state. Here and amid the body an answer is http_respond()'s,
     * without a file. It comes also when the server or the executor ends amid
     * the body: then perhaps on another thread, and perhaps after http_server_stop() has returned,
     * but before executor_free() has.
     */
    void (*end)(HttpRequest *request, void *state, HttpBodyEnd end);
} HttpBodyStream;

/* Content-Length as sent; false when it was not: chunked (RFC 9112, section 7.1) or no body. */
bool http_request_body_len(HttpRequest *request, uint64_t *ret_len);

#define HTTP_LEN_UNKNOWN UINT64_MAX

/* Where an answer's bytes come from as they are sent. */
typedef struct HttpReader {
    /* The next *ret_n bytes from `offset` on, at most `max` (at least 1); 0 only at the end. Runs
     * on `executor`, may block. Negative: the connection is cut. */
    int (*read)(void *state, uint64_t offset, void *bytes, size_t max, size_t *ret_n);
    /* Called exactly once, when nothing more is read: at the end or when the client has gone. On
     * any thread; must not wait long. */
    void (*done)(void *state);
    void *state;
    Executor *executor;
} HttpReader;

/*
 * http_respond() with a body of `len` bytes (Content-Length; fewer is a cut connection, more is not
 * read) or HTTP_LEN_UNKNOWN (chunked; to an HTTP/1.0 client until the connection closes). The
 * response's own body is not looked at. HEAD gets the head alone, and `done` is called.
 */
void http_respond_reader(HttpRequest *request, const HttpResponse *head, uint64_t len,
                         const HttpReader *reader);

/* An answer that goes on, as server-sent events do (HTML, section 9.2). */
typedef struct HttpStream HttpStream;

/*
 * The head at once, the bytes later. At most `buffer_max` bytes wait for a client that reads
 * slowly. `gone` is called at most once, on a thread of the server or the one that stops it, with
 * no lock held and perhaps before this has returned: when the client has gone, when it has read
 * nothing for the idle time-out while something waits for it, or when the server drains or stops.
 * The stream is the caller's until http_stream_end(), which `gone` may call. To HEAD, and to who
 * has gone already, a stream is given like any other; when the server has stopped meanwhile,
 * writing says -EPIPE and `gone` does not come.
 */
HttpStream *http_respond_stream(HttpRequest *request, const HttpResponse *head, size_t buffer_max,
                                void (*gone)(void *userdata), void *userdata);
/* Copied; never blocks; any thread, with whatever lock held. 0; -ENOBUFS: more than buffer_max
 * would wait, and nothing of it was taken; -EPIPE: the client has gone. */
int http_stream_write(HttpStream *stream, Str bytes);
/*
 * The owner's last call, which frees: what was written is sent, and the connection closes. `gone`
 * does not run any more when it returns: it waits for it, if another thread runs it, so that no
 * lock may be held that `gone` takes. Accepts NULL, returns NULL.
 */
HttpStream *http_stream_end(HttpStream *stream);
DEFINE_CLEANUP(HttpStream *, http_stream_end)

enum {
    HTTP_RANGE_NONE = 1, /* absent, several, or not understood: send all, with 200 */
    HTTP_RANGE_UNSATISFIABLE =
        2, /* answer 416 with Content-Range: "bytes *", a slash and the size */
};

/*
 * The one range of bytes that is asked for (RFC 9110, section 14.2) of a representation of `size`
 * bytes whose strong ETag is `etag`, quotes and all (NULL: it has none): 0 with where it begins and
 * how long it is (at least 1), to be answered with 206; or a condition. An If-Range that is not
 * that ETag makes the range absent (section 13.1.5). GET only.
 */
int http_request_range(HttpRequest *request, uint64_t size, const char *etag, uint64_t *ret_offset,
                       uint64_t *ret_len);
