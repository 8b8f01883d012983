/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * multipart/form-data (RFC 7578) that is read as it arrives, so that a file in it may be larger
 * than memory. What is held back is at most a delimiter, or the headers of a part. Not thread-safe.
 */

#include "base/arena.h"

#define MULTIPART_PARTS_MAX 1000

typedef struct MultipartPart {
    Str name;
    bool is_file;
    Str filename; /* of a file: as it was sent, may be empty */
} MultipartPart;

/* Who takes the parts. Each returns 0, or what multipart_stream_add() is to return at once. */
typedef struct MultipartSink {
    int (*begin)(void *userdata, const MultipartPart *part);
    int (*bytes)(void *userdata, Str bytes); /* at least 1, borrowed */
    int (*end)(void *userdata);
    void *userdata;
} MultipartSink;

enum {
    MULTIPART_E_MALFORMED = 1000, /* above what a sink may return */
};

typedef struct MultipartStream MultipartStream;

/* NULL: the header is not multipart/form-data with a boundary. */
MultipartStream *multipart_stream_new(const char *content_type, const MultipartSink *sink);
MultipartStream *multipart_stream_free(MultipartStream *stream); /* accepts NULL */
DEFINE_CLEANUP(MultipartStream *, multipart_stream_free)

/* The next bytes of the body. 0, MALFORMED, or what the sink returned; then nothing may follow. */
int multipart_stream_add(MultipartStream *stream, Str bytes);
/* Whether the last boundary has come: what is missing after it, or else, is a body cut short. */
bool multipart_stream_is_whole(const MultipartStream *stream);
/* What is wrong, a sentence; after MALFORMED or a body that was cut short. */
const char *multipart_stream_detail(const MultipartStream *stream);
