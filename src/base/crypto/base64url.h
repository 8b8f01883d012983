/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * base64url without padding (RFC 4648 5, as RFC 7515 2 uses it). Reading is strict: padding, white
 * space, the other alphabet, an impossible length and bits left over (RFC 4648 3.5) are refused, so
 * bytes have one text only. Takes the same time for all bytes of a length: fit for keys.
 */

#include "base/arena.h"

/* Appends. */
void base64url_encode(Str bytes, Buf *out);
/* Into the arena; 0, or -EINVAL. */
int base64url_decode(Str text, Arena *arena, Str *ret_bytes);
/* Into a buffer; 0, or -EINVAL (also when it does not fit), and ret_bytes may hold anything. */
int base64url_decode_into(Str text, uint8_t *ret_bytes, size_t capacity, size_t *ret_len);
/* Exactly `len` bytes; 0, or -EINVAL, after which ret_bytes may hold anything. */
int base64url_decode_fixed(Str text, uint8_t *ret_bytes, size_t len);
