/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Identifiers: UUID version 7 (RFC 9562 5.7), which sort by the time they were made and so keep an
 * index's new rows together. They are unique, not secret: 62 bits are random.
 */

#include "base/str.h"

typedef struct Uuid {
    uint8_t bytes[16]; /* in network order: memcmp() sorts by time */
} Uuid;

#define UUID_TEXT_SIZE 37 /* with the NUL */

/*
 * A new one. Within this process each is greater than all before it, also within a millisecond and
 * when the clock is set back: the 12 bits of rand_a are the fraction of the millisecond
 * (RFC 9562 6.2, method 3), counted on when time does not suffice. Thread-safe, lock-free.
 */
Uuid uuid_new(void);

/* Milliseconds since 1970 (UTC) of a version 7. */
uint64_t uuid_unix_ms(const Uuid *uuid);

/* "017f22e2-79b0-7cc3-98c4-dc0c0c07398f". */
void uuid_text(const Uuid *uuid, char ret_text[UUID_TEXT_SIZE]);
/*
 * That form only (RFC 9562 4, digits of either case), of a version 7 in the RFC's variant; no
 * braces, no "urn:". 0, or -EINVAL.
 */
int uuid_parse(Str text, Uuid *ret_uuid);

static inline bool uuid_equal(const Uuid *a, const Uuid *b) {
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Its bytes as they are stored, and back: 0, or -EINVAL when there are not 16. */
static inline Str uuid_str(const Uuid *uuid) {
    return (Str){(const char *)uuid->bytes, sizeof(uuid->bytes)};
}
int uuid_from_str(Str bytes, Uuid *ret_uuid);

/* The nil UUID (RFC 9562 5.9): nobody and nothing. */
static inline bool uuid_is_nil(const Uuid *uuid) {
    static const Uuid nil;
    return uuid_equal(uuid, &nil);
}
