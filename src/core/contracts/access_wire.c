/* SPDX-License-Identifier: Apache-2.0 */
#include "core/contracts/access_wire.h"

const char *const access_wire_paths[_ACCESS_VERB_MAX] = {
    [ACCESS_VERB_KEY] = ACCESS_WIRE_PREFIX "key",
    [ACCESS_VERB_CALLER] = ACCESS_WIRE_PREFIX "caller",
    [ACCESS_VERB_LIBRARY_KEY] = ACCESS_WIRE_PREFIX "library-key",
    [ACCESS_VERB_CREDITS] = ACCESS_WIRE_PREFIX "credits",
    [ACCESS_VERB_RESERVE] = ACCESS_WIRE_PREFIX "reserve",
    [ACCESS_VERB_CHARGE] = ACCESS_WIRE_PREFIX "charge",
    [ACCESS_VERB_RELEASE] = ACCESS_WIRE_PREFIX "release",
    [ACCESS_VERB_PING] = ACCESS_WIRE_PREFIX "ping",
};

const char *const access_wire_results[] = {
    [0] = "done",
    [ACCESS_E_NONE] = "none",
    [ACCESS_E_CREDITS] = "credits",
    [ACCESS_E_GONE] = "gone",
    NULL,
};

#define TEXT_OF(of, member) .type = JSON_FIELD_STR, .offset = offsetof(of, member)
#define U64_OF(of, member)  .type = JSON_FIELD_U64, .offset = offsetof(of, member)

const JsonField access_question_fields[] = {
    {.name = "key", TEXT_OF(AccessQuestion, key)},
    {.name = "credential", TEXT_OF(AccessQuestion, credential)},
    {.name = "user_id", TEXT_OF(AccessQuestion, user_id)},
    {.name = "reservation_id", TEXT_OF(AccessQuestion, reservation_id)},
    {.name = "amount", U64_OF(AccessQuestion, amount)},
    {0},
};

const JsonField access_answer_fields[] = {
    {.name = "result",
     .type = JSON_FIELD_ENUM,
     .offset = offsetof(AccessAnswer, result),
     .required = true,
     .names = access_wire_results},
    {.name = "user_id", TEXT_OF(AccessAnswer, user_id)},
    {.name = "key_id", TEXT_OF(AccessAnswer, key_id)},
    {.name = "device_id", TEXT_OF(AccessAnswer, device_id)},
    {.name = "secret", TEXT_OF(AccessAnswer, secret)},
    {.name = "scopes", U64_OF(AccessAnswer, scopes)},
    {.name = "expires_us", U64_OF(AccessAnswer, expires_us)},
    {.name = "available", U64_OF(AccessAnswer, available)},
    {0},
};
