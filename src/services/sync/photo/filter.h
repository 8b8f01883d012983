/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which photos a list is of, as the query of the request says: album=, tag=, camera=, favourite=,
 * trashed=, text=, from=, to=, after=, limit=.
 */

#include "services/sync/call.h"
#include "services/sync/photo/photo_index.h"

#define FILTER_TERMS_MAX     16
#define FILTER_LIMIT_MAX     500
#define FILTER_LIMIT_DEFAULT 100

typedef struct Filter {
    PhotoQuery query;
    size_t limit;
    int64_t from_s, to_s; /* by the clock where it was taken, both included */
    int64_t terms[FILTER_TERMS_MAX];
    size_t n_terms;
    bool nothing; /* it asks for what no photo has */
} Filter;

/* after=, or the beginning. */
SyncFailure filter_read_cursor(SyncCall *call, PhotoPlace *ret_place);

SyncFailure filter_read(SyncCall *call, Filter *ret_filter);

/* Whether a photo that the index found is of the list. */
bool filter_takes(const Filter *filter, const Library *library, const json_t *state);

/* The cursor of a page that ends with that photo, in the arena. */
const char *filter_cursor(const PhotoPlace *place, Arena *arena);
