/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Paths of requests: percent-decoding (RFC 3986) and patterns with named segments. */

#include "base/arena.h"

/*
 * Decodes %XX into `arena`. -EINVAL when an escape is cut off or not hex, or when the result holds
 * a NUL or is not UTF-8: nobody means that, and who reads it next may see another text.
 */
int percent_decode(Str escaped, Arena *arena, const char **ret_text);

/* A path cut at its slashes; each segment decoded, so that an escaped slash stays in its own. */
typedef struct PathSegments {
    const char **segments;
    size_t n;
} PathSegments;

/*
 * 0; or -EINVAL when the path does not begin with a slash, percent_decode() refuses a segment, or
 * one holds a control character. Lives in `arena`.
 */
int path_split(const char *path, Arena *arena, PathSegments *ret_segments);

#define PATH_PARAMS_MAX 4

typedef struct PathParam {
    Str name; /* in the pattern */
    const char *value;
} PathParam;

/*
 * Whether the path is of that pattern: "/v1/sessions/{id}". A segment in braces, of which there
 * may be PATH_PARAMS_MAX, takes any that is not empty; the others are literal. Gives the number of
 * parameters, or -1 when it is not. Values are the path's segments.
 */
int path_match(const PathSegments *path, const char *pattern,
               PathParam ret_params[PATH_PARAMS_MAX]);
