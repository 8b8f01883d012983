/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the header or the claims of a token say (RFC 7519): the members of one JSON object. Most
 * tokens are flat (strings without escapes and whole numbers), and those are read in one pass
 * without allocating; whatever else there is, is read by the JSON library, which has the last word
 * on what is JSON. Members given twice are refused, at any depth.
 */

#include "base/str.h"

#include <jansson.h>

#define JWT_CLAIMS_LEN_MAX ((size_t)6144) /* of the text */
#define JWT_CLAIMS_FLAT    24             /* members of an object that is read in one pass */

typedef enum JwtValueType {
    JWT_VALUE_ABSENT,
    JWT_VALUE_STRING,
    JWT_VALUE_NUMBER,
    JWT_VALUE_OTHER,
} JwtValueType;

/* Lives as long as the JwtClaims. */
typedef struct JwtValue {
    JwtValueType type;
    Str string;
    double number;
    int64_t integer;    /* of a whole number; else 0 */
    const json_t *json; /* of JWT_VALUE_OTHER when it is an array or object; else NULL */
} JwtValue;

typedef struct JwtMember {
    Str name;
    JwtValue value;
} JwtMember;

/* Points into itself: not to be copied. Not thread-safe. */
typedef struct JwtClaims {
    json_t *tree; /* NULL: flat */
    size_t n_members, len;
    JwtMember members[JWT_CLAIMS_FLAT];
    char text[JWT_CLAIMS_LEN_MAX];
} JwtClaims;

/* The object that is encoded in base64url. 0, or -EINVAL: then there is nothing to be done with. */
int jwt_claims_read(Str encoded, JwtClaims *ret_claims);
void jwt_claims_done(JwtClaims *claims);

JwtValue jwt_claims_get(const JwtClaims *claims, const char *name);
/* The string of that name; of anything else an empty one with ptr NULL. */
Str jwt_claims_string(const JwtClaims *claims, const char *name);
/* As a tree, a new reference; NULL when memory is exhausted. */
json_t *jwt_claims_tree(const JwtClaims *claims);
