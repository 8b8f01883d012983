/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A list of passwords that became public, as Have I Been Pwned publishes it: lines of a SHA-1 hash
 * in hexadecimal, a colon and a count, sorted by hash. It may have tens of gigabytes, so it is
 * never loaded: a look-up reads some forty short pieces. Thread-safe.
 */

#include "base/arena.h"

typedef struct BreachedList BreachedList;

/*
 * Opens the file, which stays open, and looks at its ends and at some thousand places between them:
 * all of a small file. 0; or -EINVAL with a whole sentence in *reterr, in the arena: it cannot be
 * read, is empty, of another form, or not sorted.
 */
int breached_list_open(const char *path, Arena *arena, BreachedList **ret_list,
                       const char **reterr);
/* Accepts NULL, returns NULL. */
BreachedList *breached_list_free(BreachedList *list);
DEFINE_CLEANUP(BreachedList *, breached_list_free)

/* Whether the password is in it. 0, or a fault: the file cannot be read or is not as it was. */
int breached_list_has(const BreachedList *list, Str password, bool *ret_found);
