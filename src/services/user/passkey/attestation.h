/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The attestation object that a new passkey comes in (Web Authentication Level 2, section 6.5.4),
 * taken apart with libcbor, and what is asked of CBOR before any library may read it. Pure
 * functions.
 */

#include "base/arena.h"

typedef struct Attestation {
    Str format;    /* "none", "packed", ... */
    Str statement; /* CBOR of it */
    bool statement_is_empty;
    int64_t alg; /* that the statement is signed with, COSE's number; 0: it names none */
    Str auth_data;
} Attestation;

/* 0 with strings in the arena, or -EINVAL: not a map of fmt, attStmt and authData alone. */
int attestation_read(Str bytes, Arena *arena, Attestation *ret_attestation);

/*
 * Whether the CBOR within authenticator data can be read: what libcbor reserves for an array or map
 * is what the array claims, and it walks down nested ones by recursion. There has to be a new
 * credential in it, or there must be none (section 6.1).
 */
bool auth_data_is_bounded(Str auth_data, bool with_credential);
