/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON by table: one list of fields reads, checks and writes a struct. Numbers, lengths and unknown
 * members are checked here, once, because most of what is read comes from outside or from a less
 * trusted process.
 */

#include "base/arena.h"

#include <jansson.h>

typedef enum JsonType {
    JSON_FIELD_BOOL,   /* bool */
    JSON_FIELD_U32,    /* uint32_t, within min..max */
    JSON_FIELD_U64,    /* uint64_t, within min..max */
    JSON_FIELD_I32,    /* int32_t, within min..max */
    JSON_FIELD_DOUBLE, /* double, within min..max; integers are accepted */
    JSON_FIELD_STR,    /* const char * in the arena, at most max bytes, no NUL inside */
    JSON_FIELD_CHARS,  /* char[max + 1] in the struct itself, else as STR; never left out */
    JSON_FIELD_ENUM,   /* int: index in `names` (NULL-terminated) */
    JSON_FIELD_OBJECT, /* a struct at offset, read by `fields` */
} JsonType;

typedef struct JsonField {
    const char *name;
    JsonType type;
    size_t offset;
    bool required;
    double min, max; /* both 0: no bound but the type's (strings: 4096 bytes) */
    const char *const *names;
    const struct JsonField *fields;
} JsonField; /* a table ends with a field whose name is NULL */

/*
 * Fills `ret_struct`, which holds the defaults of absent members. Strings live in `arena`.
 * On error ret_struct is half filled and *reterr_where names the member at fault in the arena.
 *   0, or -EINVAL: not an object, a member missing, of the wrong type or out of bounds, or unknown
 */
int json_read(const json_t *object, const JsonField *fields, Arena *arena, void *ret_struct,
              const char **reterr_where);

/* A new object; members whose string is NULL are left out. Aborts when memory is exhausted. */
json_t *json_write(const JsonField *fields, const void *from);

/* jansson itself brings json_decrefp, for _cleanup_. */
