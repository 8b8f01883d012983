/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The documents that people agree to, read once from a JSON file that the operator keeps:
 *
 *   {"agreements": [{
 *     "id": "terms",                       1..32 of [a-z0-9-]; stays the same
 *     "version": "2026-11",                1..64 of [A-Za-z0-9._-]; another one is asked about anew
 *     "title": "Terms of service",         what people are shown
 *     "url": "https://example.com/terms",  https, or a path on this server
 *     "required": true                     nobody has an account without it; absent: false
 *   }]}
 *
 * Never changes once read; thread-safe.
 */

#include "base/arena.h"

#define AGREEMENTS_MAX            16
#define AGREEMENT_ID_LEN_MAX      32
#define AGREEMENT_VERSION_LEN_MAX 64

typedef struct Agreement {
    const char *id, *version, *title, *url;
    bool required;
} Agreement;

typedef struct Agreements {
    Arena *arena;
    Agreement agreements[AGREEMENTS_MAX];
    size_t n;
} Agreements;

/* `path` "": there are none. 0, or -EINVAL with a sentence in *reterr in the arena. */
int agreements_read(const char *path, Arena *arena, Agreements **ret_agreements,
                    const char **reterr);
Agreements *agreements_free(Agreements *agreements); /* accepts NULL */
DEFINE_CLEANUP(Agreements *, agreements_free)

/* Borrowed; NULL: there is none. */
const Agreement *agreements_find(const Agreements *agreements, const char *id);
/* Whether any of them is required. */
bool agreements_require(const Agreements *agreements);
