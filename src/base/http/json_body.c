/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/json_body.h"

#include <strings.h>

int json_body_get(HttpRequest *request, json_t **ret_json, const char **reterr_detail) {
    const char *type = http_request_header(request, "Content-Type");
    Str body = http_request_body(request);
    json_t *json;

    /* Only application/json: a form of another site cannot send that without being asked first. */
    if (!type || strncasecmp(type, "application/json", strlen("application/json")) != 0) {
        *reterr_detail = "Send a JSON object with Content-Type: application/json.";
        return JSON_BODY_E_MALFORMED;
    }
    json = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json) {
        *reterr_detail = "The body is no JSON (RFC 8259).";
        return JSON_BODY_E_MALFORMED;
    }
    *ret_json = json;
    return 0;
}

int json_body_read(HttpRequest *request, const JsonField *fields, void *ret_struct,
                   JsonMember *members, size_t n_members, const char **reterr_detail) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    Arena *arena = http_request_arena(request);
    const char *where = NULL;
    int r = json_body_get(request, &json, reterr_detail);

    if (r != 0) {
        return r;
    }
    for (size_t i = 0; i < n_members; i++) {
        members[i].value = json_incref(json_object_get(json, members[i].name));
        json_object_del(json, members[i].name);
    }
    if (json_read(json, fields, arena, ret_struct, &where) < 0) {
        for (size_t i = 0; i < n_members; i++) {
            json_decref(members[i].value);
            members[i].value = NULL;
        }
        *reterr_detail = arena_printf(arena, "%s: missing, unknown, too long or of a wrong type.",
                                      where ? where : "body");
        return JSON_BODY_E_FIELD;
    }
    return 0;
}

int if_match_version(HttpRequest *request, int64_t *ret_version) {
    const char *header = http_request_header(request, "If-Match");
    Str text = str_trim(str_from(header));
    uint64_t version;

    if (!header) {
        return IF_MATCH_E_ABSENT;
    }
    if (text.len < 3 || text.ptr[0] != '"' || text.ptr[text.len - 1] != '"' ||
        str_to_u64((Str){text.ptr + 1, text.len - 2}, &version) < 0 || version > INT64_MAX) {
        return IF_MATCH_E_OTHER;
    }
    *ret_version = (int64_t)version;
    return 0;
}
