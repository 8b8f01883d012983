/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the readers of the three kinds of form share; for src/base/http/ only. */

#include "base/http/form.h"

typedef struct FormBuilder {
    Arena *arena;
    FormField fields[FORM_FIELDS_MAX];
    size_t n_fields;
    bool multipart;
    const char *detail; /* why a reader returned FORM_E_* */
} FormBuilder;

/* Adds a field; `filename` may be NULL. 0 or FORM_E_*. */
int form_add(FormBuilder *builder, Str name, const Str *filename, Str value);
/* Notes the sentence and returns the code. */
int form_fail(FormBuilder *builder, int code, const char *detail);

/* What the headers of a part of multipart/form-data say (RFC 7578, section 4.2). */
typedef struct PartHeaders {
    bool named, is_file;
    Str name, filename; /* in the arena */
} PartHeaders;
/* Of the text between a boundary's line and the blank one. 0 or FORM_E_*. */
int form_read_part_headers(FormBuilder *builder, Str text, PartHeaders *ret_headers);

/* Each adds the fields of a body: 0 or FORM_E_*. */
int form_read_multipart(FormBuilder *builder, Str content_type, Str body);
int form_read_urlencoded(FormBuilder *builder, Str body);
int form_read_json(FormBuilder *builder, Str body);

/*
 * Decodes %XX, and '+' to a blank when `plus` is set, into the arena; a '%' without two hex digits
 * stands for itself (URL Standard, section 1.3).
 */
Str form_unescape(Arena *arena, Str text, bool plus);

/*
 * The value of the parameter `name` in a header value such as `form-data; name="a b"; x=y` (RFC
 * 9110, section 5.6.6), unquoted into the arena. In a quoted string only \" and \\ are escapes,
 * because browsers write other backslashes as they are. False when absent or never closed.
 */
bool form_header_param(Arena *arena, Str header, const char *name, Str *ret_value);
