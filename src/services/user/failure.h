/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What can be wrong with a request to this service: status, code and title, told as RFC 9457. */

typedef enum UserFailure {
    USER_FAILURE_NONE,
    USER_FAILURE_MALFORMED_BODY,
    USER_FAILURE_INVALID_FIELD,
    USER_FAILURE_WEAK_PASSWORD,
    USER_FAILURE_FILE_TYPE,  /* no picture of a kind that is read */
    USER_FAILURE_READ_IMAGE, /* one, but broken */
    USER_FAILURE_RESOLUTION,
    USER_FAILURE_INVALID_TOKEN, /* of a mail: unknown, used or expired */
    USER_FAILURE_SIGNED_OUT,
    USER_FAILURE_WRONG_CREDENTIALS, /* the same whether the account exists or not */
    USER_FAILURE_SECOND_FACTOR,
    USER_FAILURE_PASSKEY, /* it is not one of ours, or did not sign as it should */
    USER_FAILURE_LOCKED,
    USER_FAILURE_FORBIDDEN,
    USER_FAILURE_CROSS_SITE,
    USER_FAILURE_STALE_PROOF, /* signed in too long ago for this act */
    USER_FAILURE_NOT_FOUND,
    USER_FAILURE_CONFLICT,
    USER_FAILURE_STALE_VERSION,
    USER_FAILURE_VERSION_REQUIRED,
    USER_FAILURE_TOO_MANY,
    USER_FAILURE_UNAVAILABLE,
    USER_FAILURE_NO_RENDERER, /* this process reads no pictures */
    USER_FAILURE_INTERNAL,
    _USER_FAILURE_MAX,
} UserFailure;

typedef struct UserFailureInfo {
    unsigned status;
    const char *code, *title;
} UserFailureInfo;

const UserFailureInfo *user_failure_info(UserFailure failure);

/* Of a fault: what can be tried again later is 503, the rest 500. */
UserFailure user_failure_of_fault(int r);
