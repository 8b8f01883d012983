/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the services' interfaces read alike: a JSON body by table, and If-Match. */

#include "base/http/server.h"
#include "base/json.h"

/* Their conditions; each has a sentence for the caller. */
enum {
    JSON_BODY_E_MALFORMED = 1, /* no JSON, or not said to be */
    JSON_BODY_E_FIELD,         /* a member missing, unknown, too long or of a wrong type */
};

/* A member that is of no table's form: `value` is a new reference to it, or NULL when absent. */
typedef struct JsonMember {
    const char *name;
    json_t *value;
} JsonMember;

/* The JSON body, whatever it is, as a new reference. 0, or JSON_BODY_E_MALFORMED. */
int json_body_get(HttpRequest *request, json_t **ret_json, const char **reterr_detail);

/* By table, but for `members`, whose values are to be NULL; they are given on 0 only. Strings live
 * in the request's arena. 0, or a condition. */
int json_body_read(HttpRequest *request, const JsonField *fields, void *ret_struct,
                   JsonMember *members, size_t n_members, const char **reterr_detail);

enum {
    IF_MATCH_E_ABSENT = 1, /* the header was not sent */
    IF_MATCH_E_OTHER,      /* none of our ETags: matches nothing */
};

/* The version in If-Match, as we send it in ETag: a number in quotes (RFC 9110 13.1.1). */
int if_match_version(HttpRequest *request, int64_t *ret_version);
