/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What can be wrong with a request to this service: status, code and title, told as RFC 9457. */

typedef enum SyncFailure {
    SYNC_FAILURE_NONE,
    SYNC_FAILURE_MALFORMED_BODY,
    SYNC_FAILURE_INVALID_FIELD,
    SYNC_FAILURE_EMPTY_FILE,
    SYNC_FAILURE_SIGNED_OUT,
    SYNC_FAILURE_FORBIDDEN, /* signed in, but with a key or token that is not for this */
    SYNC_FAILURE_CROSS_SITE,
    SYNC_FAILURE_NOT_FOUND,
    SYNC_FAILURE_CONFLICT,
    SYNC_FAILURE_STALE_VERSION, /* 409, with both versions */
    SYNC_FAILURE_WRONG_OFFSET,
    SYNC_FAILURE_UPLOAD_GONE, /* what had come of it is lost: begin anew */
    SYNC_FAILURE_TUS_VERSION,
    SYNC_FAILURE_TOO_LARGE,
    SYNC_FAILURE_QUOTA,
    SYNC_FAILURE_CONTENT_TYPE,     /* of the request */
    SYNC_FAILURE_UNSUPPORTED_TYPE, /* of the file */
    SYNC_FAILURE_UPLOAD_BUSY,
    SYNC_FAILURE_CHECKSUM,
    SYNC_FAILURE_REUSED_ID,      /* a mutation id that came with another request before */
    SYNC_FAILURE_CURSOR_TOO_OLD, /* 410: read everything anew */
    SYNC_FAILURE_VERSION_REQUIRED,
    SYNC_FAILURE_PASSWORD_REQUIRED, /* of a link */
    SYNC_FAILURE_WRONG_PASSWORD,
    SYNC_FAILURE_NO_DOWNLOAD,
    SYNC_FAILURE_TOO_MANY_TRIES,
    SYNC_FAILURE_UNAVAILABLE,
    SYNC_FAILURE_STORAGE_FULL, /* ours, not the user's quota */
    SYNC_FAILURE_INTERNAL,
    _SYNC_FAILURE_MAX,
} SyncFailure;

typedef struct SyncFailureInfo {
    unsigned status;
    const char *code, *title;
} SyncFailureInfo;

const SyncFailureInfo *sync_failure_info(SyncFailure failure);

/* Of a fault: what can be tried again later is 503, a full disk 507, the rest 500. */
SyncFailure sync_failure_of_fault(int r);
