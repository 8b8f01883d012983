/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/failure.h"

#include <assert.h>
#include <errno.h>

static const UserFailureInfo infos[_USER_FAILURE_MAX] = {
    [USER_FAILURE_NONE] = {200, "ok", "OK"},
    [USER_FAILURE_MALFORMED_BODY] = {400, "malformed_body", "Malformed request body"},
    [USER_FAILURE_INVALID_FIELD] = {400, "invalid_field", "Invalid field"},
    [USER_FAILURE_WEAK_PASSWORD] = {400, "weak_password", "Password too weak"},
    [USER_FAILURE_FILE_TYPE] = {400, "invalid_file_type", "Invalid file type"},
    [USER_FAILURE_READ_IMAGE] = {400, "failed_to_read_image", "Failed to read image"},
    [USER_FAILURE_RESOLUTION] = {400, "resolution_too_high", "Image resolution too high"},
    [USER_FAILURE_INVALID_TOKEN] = {400, "invalid_token", "Link no longer valid"},
    [USER_FAILURE_SIGNED_OUT] = {401, "signed_out", "Not signed in"},
    [USER_FAILURE_WRONG_CREDENTIALS] = {401, "wrong_credentials", "Wrong e-mail or password"},
    [USER_FAILURE_SECOND_FACTOR] = {401, "second_factor_required", "Second factor required"},
    [USER_FAILURE_PASSKEY] = {401, "passkey_refused", "Passkey not accepted"},
    [USER_FAILURE_LOCKED] = {403, "account_locked", "Account locked"},
    [USER_FAILURE_FORBIDDEN] = {403, "forbidden", "Not allowed"},
    [USER_FAILURE_CROSS_SITE] = {403, "cross_site", "Request from another site"},
    [USER_FAILURE_STALE_PROOF] = {403, "reauthentication_required", "Please sign in again"},
    [USER_FAILURE_NOT_FOUND] = {404, "not_found", "Not Found"},
    [USER_FAILURE_CONFLICT] = {409, "conflict", "Conflict"},
    [USER_FAILURE_STALE_VERSION] = {412, "stale_version", "Changed in the meantime"},
    [USER_FAILURE_VERSION_REQUIRED] = {428, "version_required", "If-Match required"},
    [USER_FAILURE_TOO_MANY] = {429, "too_many_attempts", "Too many attempts"},
    [USER_FAILURE_UNAVAILABLE] = {503, "unavailable", "Service unavailable"},
    [USER_FAILURE_NO_RENDERER] = {501, "no_renderer", "Pictures are not read here"},
    [USER_FAILURE_INTERNAL] = {500, "internal_error", "Internal error"},
};

const UserFailureInfo *user_failure_info(UserFailure failure) {
    assert(failure < _USER_FAILURE_MAX);
    return &infos[failure];
}

UserFailure user_failure_of_fault(int r) {
    switch (r) {
    case -EBUSY:
    case -ENOTCONN:
    case -EREMOTEIO:
        return USER_FAILURE_UNAVAILABLE;
    default:
        return USER_FAILURE_INTERNAL;
    }
}
