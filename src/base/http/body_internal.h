/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A body that is taken in pieces: its state, and its bytes. For body_stream.c and body_bytes.c. */

#include "base/http/server_internal.h"

/* One is filled, one given, and the last two given stay as they are (stream.h). */
#define BODY_BUFFERS 4

struct BodyStream {
    const HttpBodyStream *calls;
    void *context;
    Executor *executor;
    void *state;
    char *buffers[BODY_BUFFERS]; /* NULL until the first bytes */
    unsigned filling;
    size_t size, filled;
    bool is_long;   /* to be read past the library once it has given what it has read */
    bool is_past;   /* read so: suspended until it is answered or cut */
    uint64_t left;  /* of a long one, to come */
    bool at_head;   /* suspended in the library's first call */
    bool suspended; /* amid the body, for want of room or because it is read past the library */
    bool scheduled, begun, ended;
    bool whole; /* nothing more will come, and this is why */
    bool cut, too_large, too_late;
};

/* body_stream.c, with the request's lock held. */
void body_wake_library(HttpRequest *request);
void body_be_patient(HttpRequest *request);

/* body_bytes.c, the same. `announced`: UINT64_MAX when only its end will tell. */
void body_size_buffers(const HttpRequest *request, uint64_t announced, BodyStream *body);
/* Copies as much as there is room for, and says how much. */
size_t body_store(HttpRequest *request, const char *data, size_t len);
/* The library will read more without waiting, so that a bigger piece can be given. */
bool body_more_is_here(const HttpRequest *request);
/* Reads what is there of a long body; a cut is left to the library to notice. */
void body_fill(HttpRequest *request);
/* It is read past the library, and more is to come. */
bool body_is_coming(const HttpRequest *request);
/* What was filled; the buffer stays until three more were. */
Str body_take(BodyStream *body);
