/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The OpaqueString profile of PRECIS (RFC 8265 4.2): one form for a password, however a keyboard
 * spells it. Blanks of all kinds become U+0020, and letters with marks are composed (NFC); case and
 * width stay. Pure functions.
 */

#include "base/arena.h"

/*
 * UTF-8 of 1..UINT32_MAX bytes in that form, in the arena. 0, or -EINVAL: empty, no UTF-8, or with
 * a character that the profile refuses (RFC 8264 4.3.2: control characters, ones that cannot be
 * seen, unassigned and private ones, old Hangul jamo).
 */
int opaque_string(Str text, Arena *arena, const char **ret_text);
