/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What people may call themselves. Pure functions. */

#include "base/arena.h"

#define EMAIL_LEN_MAX 254 /* RFC 5321, section 4.5.3.1, and its erratum 1690 */

/*
 * An address in the one form that is stored and compared: without blanks around it, ASCII letters
 * in lower case (RFC 5321 dot-string local part, host names of letters, digits and hyphens with at
 * least one dot). A domain may be international (RFC 5891): it becomes xn--, as two spellings that
 * look alike do not then. What its rules (UTS #46) would replace by other letters, such as
 * full-width ones, is refused instead of guessed at, as is a local part that is not ASCII (RFC 6531
 * is not spoken here). 0 or -EINVAL.
 */
int email_canonical(Str text, Arena *arena, const char **ret_email);

/* UTF-8 of at most `max` bytes without control characters, bidirectional overrides and the like. */
bool text_is_plain(const char *text, size_t max);

/* A language tag such as "de-CH" (well-formed by RFC 5646), or "". */
bool text_is_locale(const char *text);
/* What may be a time zone's name such as "Europe/Zurich", or ""; zone.h knows whether it is. */
bool text_is_zone(const char *text);

/* How many characters UTF-8 text has. */
size_t text_characters(const char *text);
