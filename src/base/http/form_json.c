/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/form_internal.h"

#include <jansson.h>

/* As a person would type it into a form; 15 digits give back what was sent (0.1, not 0.1000...1).
 */
static bool scalar_text(Arena *arena, const json_t *value, Str *ret_text) {
    switch (json_typeof(value)) {
    case JSON_STRING:
        *ret_text = str_from(
            arena_strdup(arena, (Str){json_string_value(value), json_string_length(value)}));
        return true;
    case JSON_INTEGER:
        *ret_text = str_from(arena_printf(arena, "%lld", (long long)json_integer_value(value)));
        return true;
    case JSON_REAL:
        *ret_text = str_from(arena_printf(arena, "%.15g", json_real_value(value)));
        return true;
    case JSON_TRUE:
        *ret_text = str_lit("true");
        return true;
    case JSON_FALSE:
        *ret_text = str_lit("false");
        return true;
    default:
        return false;
    }
}

/*
 * A flat object of few members is the only thing that may reach the parser: a value tree takes up
 * to 30 times the memory of its text, so that nesting and counts are judged on the text.
 */
static int check_outline(FormBuilder *builder, Str body) {
    size_t members = 0, opened = 0;
    bool in_string = false;

    for (size_t i = 0; i < body.len; i++) {
        char c = body.ptr[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        opened += c == '{';
        members += c == ':';
        if (c == '[' || opened > 1) {
            return form_fail(builder, FORM_E_MALFORMED,
                             "A member of the JSON object is neither a string, a number nor a "
                             "boolean.");
        }
        if (members > FORM_FIELDS_MAX) {
            return form_fail(builder, FORM_E_TOO_MANY, "The JSON object has too many members.");
        }
    }
    return 0;
}

static int add_member(FormBuilder *builder, const char *name, const json_t *value) {
    Str text;

    if (json_is_null(value)) {
        return 0; /* how many clients say "not given" */
    }
    if (!scalar_text(builder->arena, value, &text)) {
        return form_fail(builder, FORM_E_MALFORMED, "A member has a value of another kind.");
    }
    return form_add(builder, str_from(name), NULL, text);
}

int form_read_json(FormBuilder *builder, Str body) {
    _cleanup_(json_decrefp) json_t *object = NULL;
    const char *name;
    json_t *value;
    int r = check_outline(builder, body);

    if (r != 0) {
        return r;
    }
    object = json_loadb(body.len > 0 ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        return form_fail(builder, FORM_E_MALFORMED, "The body is not a JSON object.");
    }
    json_object_foreach(object, name, value) {
        r = add_member(builder, name, value);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}
