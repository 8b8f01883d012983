/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The fields of a request body, whichever way they were sent: multipart/form-data (RFC 7578),
 * application/x-www-form-urlencoded or a flat application/json object. Nothing is copied out of a
 * multipart body: a part is a range of it.
 */

#include "base/arena.h"

typedef struct FormField {
    const char *name;
    const char *filename; /* NULL: not sent as a file */
    Str value;            /* points into the body (multipart) or the arena */
} FormField;

typedef struct Form {
    const FormField *fields;
    size_t n_fields;
    bool multipart; /* the one kind of body that carries files */
} Form;

#define FORM_FIELDS_MAX 64

enum {
    FORM_E_MALFORMED = 1, /* not what its content type says */
    FORM_E_TOO_MANY,      /* more than FORM_FIELDS_MAX fields */
    FORM_E_UNSUPPORTED,   /* another content type */
};

/* `content_type` is the header's value, or NULL. 0, or FORM_E_* with a sentence in *reterr_detail.
 */
int form_parse(const char *content_type, Str body, Arena *arena, Form *ret_form,
               const char **reterr_detail);

/* Whether a field was left blank, as web forms send those that nobody filled in. */
bool form_field_is_blank(const FormField *field);

/*
 * The last field of that name, as browsers and curl users expect, and a blank one only when all of
 * them are; NULL when absent.
 */
const FormField *form_find(const Form *form, const char *name);
/* How many fields of that name are not blank. */
unsigned form_count(const Form *form, const char *name);

/* Appends "name=value", percent-encoded, after '&' when something is there: urlencoded, and a
 * query.
 */
void form_add_param(Buf *out, const char *name, const char *value);

/* RFC 4648 section 4, white space allowed, `data:...;base64,` prefix allowed. 0 or -EINVAL. */
int base64_decode(Str text, Arena *arena, Str *ret_bytes);
void base64_encode(Str bytes, Buf *buf);
