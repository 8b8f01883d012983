/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What people may call themselves. Pure functions. */

#include "base/arena.h"

#define EMAIL_LEN_MAX 254 /* RFC 5321, section 4.5.3.1, and its erratum 1690 */

/*
 * An address in the one form that is stored and compared: without blanks around it, ASCII letters
 * in lower case. Only ASCII (RFC 5321 dot-string local part, host names of letters, digits and
 * hyphens with at least one dot): an address that looks like another but is spelt with other
 * letters is refused instead of guessed at; international domains are written as xn--. 0 or
 * -EINVAL.
 */
int email_canonical(Str text, Arena *arena, const char **ret_email);

/* UTF-8 of at most `max` bytes without control characters, bidirectional overrides and the like. */
bool text_is_plain(const char *text, size_t max);

/* A language tag such as "de-CH" (RFC 5646: letters, digits and hyphens), or "". */
bool text_is_locale(const char *text);
/* A time zone's name such as "Europe/Zurich", or "". */
bool text_is_zone(const char *text);

/* How many characters UTF-8 text has. */
size_t text_characters(const char *text);
