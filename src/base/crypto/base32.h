/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/arena.h"

/*
 * Base 32 (RFC 4648 6) without padding, the form of secrets that people type. Reading accepts lower
 * case too, and refuses all else: padding, an impossible length, bits left over. Thread-safe.
 */

/* Appends. */
void base32_encode(Str bytes, Buf *out);
/* Into the arena; 0, or -EINVAL. */
int base32_decode(Str text, Arena *arena, Str *ret_bytes);
