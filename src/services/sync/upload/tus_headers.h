/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What tus 1.0.0 (https://tus.io/protocols/resumable-upload) says in the headers of requests. */

#include "base/crypto/checksum.h"
#include "base/http/server.h"
#include "services/sync/upload/upload_store.h"

#define TUS_VERSION      "1.0.0"
#define TUS_METADATA_MAX ((size_t)4096) /* bytes of the header */
#define TUS_KEYS_MAX     20
#define TUS_PARTS_MAX    100

#define TUS_EXTENSIONS "creation,creation-with-upload,expiration,checksum,termination,concatenation"

enum {
    TUS_E_ABSENT = 1, /* the header was not sent */
    TUS_E_MALFORMED,  /* with a sentence in *reterr_detail */
};

/* A whole number from 0 to INT64_MAX. */
int tus_number(HttpRequest *request, const char *header, uint64_t *ret_number,
               const char **reterr_detail);

/*
 * Upload-Metadata; what is absent is what it is without the header: filename, pair and deleted are
 * read, others kept as they came. 0 or MALFORMED.
 */
int tus_metadata(HttpRequest *request, UploadAbout *ret_about, const char **reterr_detail);

typedef struct TusConcat {
    UploadKind kind;
    Uuid *parts; /* of UPLOAD_WHOLE, in the request's arena */
    size_t n_parts;
    const char *header; /* NULL of UPLOAD_FILE */
} TusConcat;

/* Upload-Concat; without it UPLOAD_FILE. The parts are uploads below `base`. 0 or MALFORMED. */
int tus_concat(HttpRequest *request, const char *base, TusConcat *ret_concat,
               const char **reterr_detail);

/* Upload-Checksum: a new checksum and what it has to be. 0, ABSENT or MALFORMED. */
int tus_checksum(HttpRequest *request, Checksum **ret_checksum, Str *ret_expected,
                 const char **reterr_detail);

bool tus_is_octets(HttpRequest *request); /* Content-Type: application/offset+octet-stream */
