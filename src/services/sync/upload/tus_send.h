/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The bytes of one request to an upload, on their way into it: what PATCH and a creation with
 * upload share. */

#include "base/crypto/checksum.h"
#include "services/sync/upload/tus.h"

typedef struct TusSend {
    SyncCall call;
    Upload upload;
    UploadWriter *writer; /* NULL: the bytes are read and dropped */
    Checksum *checksum;   /* NULL: none was sent */
    Str expected;
    bool is_new;
    const Uuid *parts; /* of an upload that was made of them, in the request's arena */
    size_t n_parts;
} TusSend;

/* The begin of HttpBodyStream: who calls is found out, and `begin` does the rest; what is wrong is
 * answered, and NULL given. */
typedef SyncFailure TusBegin(TusSend *send);
void *tus_send_begin(HttpRequest *request, void *context, TusBegin *begin);
/* Reads Upload-Checksum and opens the writer where it is to go on. */
SyncFailure tus_send_open(TusSend *send, uint64_t offset);
/* Answers, and frees what it holds. */
void tus_send_refuse(TusSend *send, SyncFailure failure);
void tus_send_end(TusSend *send, bool is_cut);
/* The piece of HttpBodyStream. */
bool tus_send_piece(HttpRequest *request, void *state, Str bytes);
