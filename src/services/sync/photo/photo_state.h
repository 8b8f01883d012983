/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What stands in the state of a photo, read: docs/guides/library.md lists its members. Pure. */

#include "base/uuid.h"
#include "core/model/photo_type.h"

#include <jansson.h>

#define LOCAL_TIME_SIZE 20 /* "2026-05-04T12:30:00", with the NUL */

/* The member as a UUID; false when it is absent or none. */
bool state_uuid(const json_t *state, const char *member, Uuid *ret_id);

/* A local time of that form, of the years 1800 to 2200, as seconds since 1970 as if it were UTC. 0,
 * or -EINVAL. */
int local_time_parse(Str text, int64_t *ret_s);
/* And back. */
void local_time_write(int64_t s, char ret_text[LOCAL_TIME_SIZE]);

/* When it was taken, in microseconds since 1970; as if in UTC when its zone is not known, and when
 * it was added when the time is not known. */
int64_t photo_sort_us(const json_t *state);
/* When it was taken by the clock there, in seconds since 1970; else when it was added. */
int64_t photo_local_s(const json_t *state);

/* When it was thrown away in microseconds since 1970; 0: it was not. */
int64_t photo_trashed_us(const json_t *state);

/* What its file is, by its media type. */
PhotoKind photo_kind(const json_t *state);

/* What stands before the last dot of a name; all when there is none or it is the first. */
Str name_stem(Str name);

/* Whether text is UTF-8 of 1 to `max` bytes without control characters. */
bool text_is_line(Str text, size_t max);
/* The same, but it may be empty and have line feeds. */
bool text_is_lines(Str text, size_t max);
