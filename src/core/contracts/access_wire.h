/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * core/contracts/access.h between processes: POST of a JSON object to one of these addresses of the
 * user service, with a service token (core/identity/service_token.h). What was asked is answered
 * with 200, also a condition of the contract, which `result` names: so that whatever else may stand
 * at an address is never taken for one. Both ends are of one version.
 *
 *   key       {"key"}                                -> user_id, key_id, scopes, expires_us
 *   caller    {"credential"}                         -> user_id, device_id, scopes, expires_us
 *   library-key {"user_id"}                          -> secret (base64url)
 *   credits   {"user_id"}                            -> available
 *   reserve, charge, release
 *             {"user_id", "reservation_id", "amount"}
 *   ping      {}
 */

#include "base/json.h"
#include "core/contracts/access.h"

#define ACCESS_WIRE_PREFIX "/internal/v1/access/"

typedef enum AccessVerb {
    ACCESS_VERB_KEY,
    ACCESS_VERB_CALLER,
    ACCESS_VERB_LIBRARY_KEY,
    ACCESS_VERB_CREDITS,
    ACCESS_VERB_RESERVE,
    ACCESS_VERB_CHARGE,
    ACCESS_VERB_RELEASE,
    ACCESS_VERB_PING,
    _ACCESS_VERB_MAX,
} AccessVerb;

extern const char *const access_wire_paths[_ACCESS_VERB_MAX];

/* The index is the contract's return value: 0 or an ACCESS_E_. */
extern const char *const access_wire_results[];

typedef struct AccessQuestion {
    /* NULL: not of this call */
    const char *key, *credential, *user_id, *reservation_id;
    uint64_t amount;
} AccessQuestion;
extern const JsonField access_question_fields[];

typedef struct AccessAnswer {
    int result;
    const char *user_id, *key_id, *device_id, *secret;
    uint64_t scopes, expires_us, available;
} AccessAnswer;
extern const JsonField access_answer_fields[];
