/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/failure.h"

#include <assert.h>
#include <errno.h>

static const SyncFailureInfo infos[_SYNC_FAILURE_MAX] = {
    [SYNC_FAILURE_NONE] = {200, "ok", "OK"},
    [SYNC_FAILURE_MALFORMED_BODY] = {400, "malformed_body", "Malformed request body"},
    [SYNC_FAILURE_INVALID_FIELD] = {400, "invalid_field", "Invalid field"},
    [SYNC_FAILURE_EMPTY_FILE] = {400, "empty_file", "Empty file"},
    [SYNC_FAILURE_SIGNED_OUT] = {401, "signed_out", "Not signed in"},
    [SYNC_FAILURE_FORBIDDEN] = {403, "insufficient_scope", "Not for this key or token"},
    [SYNC_FAILURE_CROSS_SITE] = {403, "cross_site", "Request from another site"},
    [SYNC_FAILURE_NOT_FOUND] = {404, "not_found", "Not Found"},
    [SYNC_FAILURE_CONFLICT] = {409, "conflict", "Conflict"},
    [SYNC_FAILURE_STALE_VERSION] = {409, "stale_version", "Changed in the meantime"},
    [SYNC_FAILURE_WRONG_OFFSET] = {409, "wrong_offset", "Not the upload's offset"},
    [SYNC_FAILURE_UPLOAD_GONE] = {410, "upload_gone", "The upload is lost"},
    [SYNC_FAILURE_TUS_VERSION] = {412, "tus_version", "Tus-Resumable: 1.0.0 required"},
    [SYNC_FAILURE_TOO_LARGE] = {413, "too_large", "Too large"},
    [SYNC_FAILURE_QUOTA] = {413, "quota_exceeded", "No room in the library"},
    [SYNC_FAILURE_CONTENT_TYPE] = {415, "unsupported_media_type", "Unsupported media type"},
    [SYNC_FAILURE_UNSUPPORTED_TYPE] = {415, "unsupported_type", "No picture or film"},
    [SYNC_FAILURE_UPLOAD_BUSY] = {423, "upload_busy", "Another is sending this upload"},
    [SYNC_FAILURE_CHECKSUM] = {460, "checksum_mismatch", "Checksum mismatch"},
    [SYNC_FAILURE_CURSOR_TOO_OLD] = {410, "cursor_too_old", "Cursor too old"},
    [SYNC_FAILURE_REUSED_ID] = {422, "mutation_id_reused", "Mutation id used before"},
    [SYNC_FAILURE_VERSION_REQUIRED] = {428, "version_required", "If-Match required"},
    [SYNC_FAILURE_PASSWORD_REQUIRED] = {401, "password_required", "Password required"},
    [SYNC_FAILURE_WRONG_PASSWORD] = {403, "wrong_password", "Wrong password"},
    [SYNC_FAILURE_NO_DOWNLOAD] = {403, "download_not_allowed", "Not to be downloaded"},
    [SYNC_FAILURE_TOO_MANY_TRIES] = {429, "too_many_attempts", "Too many attempts"},
    [SYNC_FAILURE_UNAVAILABLE] = {503, "unavailable", "Service unavailable"},
    [SYNC_FAILURE_STORAGE_FULL] = {507, "storage_full", "The server's storage is full"},
    [SYNC_FAILURE_INTERNAL] = {500, "internal_error", "Internal error"},
};

const SyncFailureInfo *sync_failure_info(SyncFailure failure) {
    assert(failure < _SYNC_FAILURE_MAX);
    return &infos[failure];
}

SyncFailure sync_failure_of_fault(int r) {
    switch (r) {
    case -EBUSY:
    case -ENOTCONN:
    case -EREMOTEIO:
    case -ETIMEDOUT:
    case -ENOMEDIUM: /* the operator has to see to the store; nothing is lost meanwhile */
    case -EACCES:    /* likewise: the store refuses the key, or a clock that is wrong */
        return SYNC_FAILURE_UNAVAILABLE;
    case -ENOSPC:
        return SYNC_FAILURE_STORAGE_FULL;
    default:
        return SYNC_FAILURE_INTERNAL;
    }
}
