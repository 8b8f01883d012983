/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Digests by the names that protocols give them, of bytes that come in pieces: to find what was
 * damaged on its way, not to keep anybody out. */

#include "base/macro.h"
#include "base/str.h"

#define CHECKSUM_LEN_MAX 32
#define CHECKSUM_NAMES   "sha1,sha256" /* those there are, as tus lists them */

typedef struct Checksum Checksum;

/* NULL when there is none of that name. */
Checksum *checksum_new(Str name);
Checksum *checksum_free(Checksum *checksum); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(Checksum *, checksum_free)
size_t checksum_len(const Checksum *checksum);
void checksum_add(Checksum *checksum, Str bytes);
/* Whether it is that of all bytes; nothing may be added afterwards. */
bool checksum_is(Checksum *checksum, Str expected);
