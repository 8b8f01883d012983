/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A ZIP archive of few small members that are stored as they are (APPNOTE.TXT 6.3.10). */

#include "base/str.h"

typedef struct ZipMember {
    const char *name; /* ASCII */
    Str bytes;
} ZipMember;

/*
 * All members bear the same fixed date, so that equal contents give equal bytes. `ret_bytes` comes
 * from malloc. 0, -EFBIG beyond 2 GiB, or -ENOMEM.
 */
int zip_write(const ZipMember *members, size_t count, void **ret_bytes, size_t *ret_len);
