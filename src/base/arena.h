/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An arena: memory of one request or job, released at once at its end. Not thread-safe; one
 * request is worked on by one thread at a time. Exhausted memory aborts the process, so sizes that
 * come from outside are checked before they reach an arena.
 */

#include "base/str.h"

typedef struct Arena Arena;

Arena *arena_new(void);
Arena *arena_free(Arena *arena); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(Arena *, arena_free)

/* Zeroed, aligned for any type. */
void *arena_alloc(Arena *arena, size_t size);
/* NUL-terminated copies. */
char *arena_strdup(Arena *arena, Str s);
char *arena_printf(Arena *arena, const char *format, ...) printf_like(2, 3);
