/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Form fields by table: each API lists its fields once, with the function that reads the value and
 * the failure that a wrong value is. Fields of other names are ignored, and so are empty ones, as
 * web forms and the vendors' own clients send what was left blank.
 */

#include "base/http/form.h"
#include "services/image/failure.h"

/* Reads `text` into `target`, the API's own struct. False: not a value of this field. */
typedef bool FieldRead(Str text, void *target);

typedef struct FieldRule {
    const char *name;
    FieldRead *read;
    Failure failure;
    const char *expected; /* a sentence for who sent another value */
} FieldRule;              /* a table ends with a field whose name is NULL */

/* For values that are true or false. */
#define EXPECTED_BOOL "Accepted are true and false."
#define EXPECTED_COLOUR                                                                            \
    "Accepted are 3, 4, 6 or 8 hex digits and the names of CSS colours, such as 81d4fa or green."
#define EXPECTED_MARGIN                                                                            \
    "Accepted are 1, 2 or 4 lengths, each up to 500px or 50%, such as '10% 30px'."

/* FAILURE_NONE, or the failure of the first rule that does not hold, with what it expects. */
Failure fields_read(const Form *form, const FieldRule *rules, void *target,
                    const char **reterr_detail);

/* The value of a field that is there and not blank; a file also when it is empty but named. */
bool fields_find(const Form *form, const char *name, Str *ret_value);

/* "true" or "false", also 1/0, yes/no, on/off, in any case. */
bool field_read_bool(Str text, bool *ret_value);
/* The index of `text` in `names` (NULL-terminated), in any case. */
bool field_read_name(Str text, const char *const *names, int *ret_index);
/* A whole number within min..max. */
bool field_read_u32(Str text, uint32_t min, uint32_t max, uint32_t *ret_value);
