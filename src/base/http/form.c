/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/form_internal.h"

int form_fail(FormBuilder *builder, int code, const char *detail) {
    builder->detail = detail;
    return code;
}

int form_add(FormBuilder *builder, Str name, const Str *filename, Str value) {
    FormField *field;

    /* Names become C strings: a NUL would let two readers see different names. */
    if (memchr(name.ptr, '\0', name.len) ||
        (filename && memchr(filename->ptr, '\0', filename->len))) {
        return form_fail(builder, FORM_E_MALFORMED, "A field's name holds a NUL byte.");
    }
    if (builder->n_fields == ARRAY_LEN(builder->fields)) {
        return form_fail(builder, FORM_E_TOO_MANY, "The form has too many fields.");
    }
    field = &builder->fields[builder->n_fields++];
    field->name = arena_strdup(builder->arena, name);
    field->filename = filename ? arena_strdup(builder->arena, *filename) : NULL;
    field->value = value;
    return 0;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

Str form_unescape(Arena *arena, Str text, bool plus) {
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%' && text.len - i > 2 && hex_digit(text.ptr[i + 1]) >= 0 &&
            hex_digit(text.ptr[i + 2]) >= 0) {
            c = (char)(hex_digit(text.ptr[i + 1]) << 4 | hex_digit(text.ptr[i + 2]));
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[len++] = c;
    }
    return (Str){out, len};
}

int form_read_urlencoded(FormBuilder *builder, Str body) {
    Str rest = body, pair, name;

    /* What is sent with a client's default type, where another one was meant. */
    if (body.len > 0 && memchr(body.ptr, '\0', body.len)) {
        return form_fail(builder, FORM_E_MALFORMED,
                         "The body is binary, but its Content-Type says that it is an urlencoded "
                         "form. Send a file as multipart/form-data.");
    }
    if (str_starts_with(str_trim(body), str_lit("{"))) {
        return form_fail(builder, FORM_E_MALFORMED,
                         "The body looks like JSON, but its Content-Type says that it is an "
                         "urlencoded form. Send it as application/json.");
    }
    while (str_next_token(&rest, "&", &pair)) {
        if (pair.len == 0) {
            continue;
        }
        if (builder->n_fields == FORM_FIELDS_MAX) {
            return form_fail(builder, FORM_E_TOO_MANY, "The form has too many fields.");
        }
        str_next_token(&pair, "=", &name);
        int r = form_add(builder, form_unescape(builder->arena, name, true), NULL,
                         pair.ptr ? form_unescape(builder->arena, pair, true) : str_lit(""));
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

static int read_body(FormBuilder *builder, const char *content_type, Str body) {
    Str parameters = str_from(content_type), type;

    if (!content_type) {
        return body.len == 0 ? 0
                             : form_fail(builder, FORM_E_UNSUPPORTED,
                                         "The request has a body but no Content-Type.");
    }
    str_next_token(&parameters, ";", &type);
    type = str_trim(type);
    if (str_equal_nocase(type, str_lit("multipart/form-data"))) {
        builder->multipart = true;
        return form_read_multipart(builder, str_from(content_type), body);
    }
    if (str_equal_nocase(type, str_lit("application/x-www-form-urlencoded"))) {
        return form_read_urlencoded(builder, body);
    }
    if (str_equal_nocase(type, str_lit("application/json"))) {
        return form_read_json(builder, body);
    }
    return form_fail(builder, FORM_E_UNSUPPORTED,
                     "The Content-Type must be multipart/form-data, "
                     "application/x-www-form-urlencoded or application/json.");
}

int form_parse(const char *content_type, Str body, Arena *arena, Form *ret_form,
               const char **reterr_detail) {
    FormBuilder builder = {.arena = arena};
    int r = read_body(&builder, content_type, body);

    if (r != 0) {
        *reterr_detail = builder.detail;
        return r;
    }
    FormField *fields = arena_alloc(arena, builder.n_fields * sizeof(*fields));
    memcpy(fields, builder.fields, builder.n_fields * sizeof(*fields));
    *ret_form = (Form){fields, builder.n_fields, builder.multipart};
    return 0;
}

bool form_field_is_blank(const FormField *field) {
    return field->value.len == 0 && !(field->filename && *field->filename);
}

const FormField *form_find(const Form *form, const char *name) {
    const FormField *blank = NULL;

    for (size_t i = form->n_fields; i > 0; i--) {
        const FormField *field = &form->fields[i - 1];
        if (strcmp(field->name, name) != 0) {
            continue;
        }
        if (!form_field_is_blank(field)) {
            return field;
        }
        blank = blank ? blank : field;
    }
    return blank;
}

unsigned form_count(const Form *form, const char *name) {
    unsigned count = 0;

    for (size_t i = 0; i < form->n_fields; i++) {
        const FormField *field = &form->fields[i];
        count += strcmp(field->name, name) == 0 && !form_field_is_blank(field);
    }
    return count;
}

void form_add_param(Buf *out, const char *name, const char *value) {
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    buf_addf(out, "%s%s=", out->len > 0 ? "&" : "", name);
    for (; *value; value++) {
        if (strchr(plain, *value)) {
            buf_add(out, value, 1);
        } else {
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)*value);
        }
    }
}
