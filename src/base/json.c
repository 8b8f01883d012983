/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#define STRING_MAX_DEFAULT 4096

static bool number_within(double value, const JsonField *field, double type_min, double type_max) {
    if (field->min != 0 || field->max != 0) {
        type_min = MAX(type_min, field->min);
        type_max = MIN(type_max, field->max);
    }
    return isfinite(value) && value >= type_min && value <= type_max;
}

static int read_integer(const json_t *value, const JsonField *field, void *at) {
    json_int_t number;

    if (!json_is_integer(value)) {
        return -EINVAL;
    }
    number = json_integer_value(value);
    switch (field->type) {
    case JSON_FIELD_U32:
        if (!number_within((double)number, field, 0, UINT32_MAX)) {
            return -EINVAL;
        }
        *(uint32_t *)at = (uint32_t)number;
        return 0;
    case JSON_FIELD_U64:
        if (number < 0 || !number_within((double)number, field, 0, (double)INT64_MAX)) {
            return -EINVAL;
        }
        *(uint64_t *)at = (uint64_t)number;
        return 0;
    default:
        if (!number_within((double)number, field, INT32_MIN, INT32_MAX)) {
            return -EINVAL;
        }
        *(int32_t *)at = (int32_t)number;
        return 0;
    }
}

static int read_string(const json_t *value, const JsonField *field, Arena *arena, void *at) {
    size_t max = field->max > 0 ? (size_t)field->max : STRING_MAX_DEFAULT;
    Str text;

    if (!json_is_string(value)) {
        return -EINVAL;
    }
    text = (Str){json_string_value(value), json_string_length(value)};
    if (text.len > max || memchr(text.ptr, '\0', text.len)) {
        return -EINVAL;
    }
    *(const char **)at = arena_strdup(arena, text);
    return 0;
}

static int read_chars(const json_t *value, const JsonField *field, void *at) {
    Str text;

    if (!json_is_string(value)) {
        return -EINVAL;
    }
    text = (Str){json_string_value(value), json_string_length(value)};
    if (text.len > (size_t)field->max || memchr(text.ptr, '\0', text.len)) {
        return -EINVAL;
    }
    memcpy(at, text.ptr, text.len);
    ((char *)at)[text.len] = '\0';
    return 0;
}

static int read_enum(const json_t *value, const JsonField *field, void *at) {
    if (!json_is_string(value)) {
        return -EINVAL;
    }
    for (int i = 0; field->names[i]; i++) {
        if (strcmp(json_string_value(value), field->names[i]) == 0) {
            *(int *)at = i;
            return 0;
        }
    }
    return -EINVAL;
}

static int read_field(const json_t *value, const JsonField *field, Arena *arena, void *at,
                      const char **reterr_where) {
    switch (field->type) {
    case JSON_FIELD_BOOL:
        if (!json_is_boolean(value)) {
            return -EINVAL;
        }
        *(bool *)at = json_is_true(value);
        return 0;
    case JSON_FIELD_U32:
    case JSON_FIELD_U64:
    case JSON_FIELD_I32:
        return read_integer(value, field, at);
    case JSON_FIELD_DOUBLE:
        if (!json_is_number(value) ||
            !number_within(json_number_value(value), field, -HUGE_VAL, HUGE_VAL)) {
            return -EINVAL;
        }
        *(double *)at = json_number_value(value);
        return 0;
    case JSON_FIELD_STR:
        return read_string(value, field, arena, at);
    case JSON_FIELD_CHARS:
        return read_chars(value, field, at);
    case JSON_FIELD_ENUM:
        return read_enum(value, field, at);
    case JSON_FIELD_OBJECT:
        return json_read(value, field->fields, arena, at, reterr_where);
    }
    return -EINVAL;
}

int json_read(const json_t *object, const JsonField *fields, Arena *arena, void *ret_struct,
              const char **reterr_where) {
    const char *name;
    json_t *value;
    size_t known = 0;

    *reterr_where = "(object)";
    if (!json_is_object(object)) {
        return -EINVAL;
    }
    for (const JsonField *field = fields; field->name; field++) {
        value = json_object_get(object, field->name);
        if (!value) {
            if (field->required) {
                *reterr_where = field->name;
                return -EINVAL;
            }
            continue;
        }
        known++;
        *reterr_where = field->name;
        if (read_field(value, field, arena, (char *)ret_struct + field->offset, reterr_where) < 0) {
            return -EINVAL;
        }
    }
    if (known == json_object_size(object)) {
        return 0;
    }
    json_object_foreach((json_t *)object, name, value) {
        const JsonField *field = fields;
        while (field->name && strcmp(field->name, name) != 0) {
            field++;
        }
        if (!field->name) {
            *reterr_where = arena_strdup(arena, str_from(name));
            break;
        }
    }
    return -EINVAL;
}

static json_t *write_field(const JsonField *field, const void *at) {
    switch (field->type) {
    case JSON_FIELD_BOOL:
        return json_boolean(*(const bool *)at);
    case JSON_FIELD_U32:
        return json_integer(*(const uint32_t *)at);
    case JSON_FIELD_U64:
        return json_integer((json_int_t)MIN(*(const uint64_t *)at, (uint64_t)INT64_MAX));
    case JSON_FIELD_I32:
        return json_integer(*(const int32_t *)at);
    case JSON_FIELD_DOUBLE:
        return json_real(*(const double *)at);
    case JSON_FIELD_STR:
        return json_string(*(const char *const *)at);
    case JSON_FIELD_CHARS:
        return json_string(at);
    case JSON_FIELD_ENUM:
        return json_string(field->names[*(const int *)at]);
    case JSON_FIELD_OBJECT:
        return json_write(field->fields, at);
    }
    return NULL;
}

json_t *json_write(const JsonField *fields, const void *from) {
    json_t *object = json_object();

    for (const JsonField *field = fields; field->name; field++) {
        const void *at = (const char *)from + field->offset;
        if (field->type == JSON_FIELD_STR && !*(const char *const *)at) {
            continue;
        }
        /* A string that is not UTF-8 cannot be JSON: the caller checked it on its way in. */
        if (json_object_set_new(object, field->name, write_field(field, at)) < 0) {
            abort();
        }
    }
    return object;
}
