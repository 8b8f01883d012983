/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/fields.h"

bool fields_find(const Form *form, const char *name, Str *ret_value) {
    const FormField *field = form_find(form, name);

    if (!field || form_field_is_blank(field)) {
        return false;
    }
    *ret_value = field->value;
    return true;
}

Failure fields_read(const Form *form, const FieldRule *rules, void *target,
                    const char **reterr_detail) {
    for (const FieldRule *rule = rules; rule->name; rule++) {
        Str value;
        if (!fields_find(form, rule->name, &value)) {
            continue;
        }
        value = str_trim(value);
        if (value.len > 0 && !rule->read(value, target)) {
            *reterr_detail = rule->expected;
            return rule->failure;
        }
    }
    return FAILURE_NONE;
}

bool field_read_bool(Str text, bool *ret_value) {
    static const char *const words[] = {"false", "0", "no", "off", "true", "1", "yes", "on", NULL};
    int index;

    if (!field_read_name(text, words, &index)) {
        return false;
    }
    *ret_value = index >= 4;
    return true;
}

bool field_read_name(Str text, const char *const *names, int *ret_index) {
    for (int i = 0; names[i]; i++) {
        if (str_equal_nocase(text, str_from(names[i]))) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

bool field_read_u32(Str text, uint32_t min, uint32_t max, uint32_t *ret_value) {
    uint64_t value;

    if (str_to_u64(text, &value) < 0 || value < min || value > max) {
        return false;
    }
    *ret_value = (uint32_t)value;
    return true;
}
