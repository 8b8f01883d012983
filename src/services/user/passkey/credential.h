/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The JSON that browsers make of a credential (Web Authentication Level 3, section 5.1.8:
 * RegistrationResponseJSON and AuthenticationResponseJSON), with bytes in base64url. What is not
 * needed is passed over, since browsers add to it.
 */

#include "base/arena.h"
#include "base/uuid.h"

#include <jansson.h>

typedef struct SentCredential {
    Str id, client_data;
    Str attestation_object;            /* of a new one */
    Str authenticator_data, signature; /* of an assertion */
    bool has_user;
    Uuid user_id; /* what the user handle says; when has_user */
} SentCredential;

/* 0 with bytes in the arena, or -EINVAL with the member at fault in *reterr_where (static). */
int credential_read_new(const json_t *json, Arena *arena, SentCredential *ret_sent,
                        const char **reterr_where);
int credential_read_assertion(const json_t *json, Arena *arena, SentCredential *ret_sent,
                              const char **reterr_where);
