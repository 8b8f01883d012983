/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The tables sync_photo and sync_term: where photos are found. Calls run in a transaction of the
 * caller's. */

#include "services/sync/photo/terms.h"

#define PHOTOS_READ_MAX 1000

/* The statements, for db_check(). */
extern const DbStatement photo_index_statements[];
extern const size_t photo_index_statements_len;

/* See index_apply(). */
int photo_index_apply(DbTx *tx, const Library *library, const Object *photo);
/* See index_differs(). */
int photo_index_differs(DbTx *tx, const Library *library, const Object *photo, bool *ret_differs);

/* Where a page of photos goes on: after that one. */
typedef struct PhotoPlace {
    int64_t sort_us;
    Uuid id;
} PhotoPlace;

#define PHOTO_QUERY_TERMS 4
typedef struct PhotoQuery {
    bool trashed;
    PhotoPlace after, until; /* what lies between: without the first, with the last */
    int64_t to_us;           /* of sort_us, included */
    int64_t terms[PHOTO_QUERY_TERMS];
    size_t n_terms; /* 0: all photos */
} PhotoQuery;

typedef struct PhotoRow {
    PhotoPlace place;
    const DbValue *object; /* for object_of_row() */
} PhotoRow;

/* The newest first, at most `max` (1 to PHOTOS_READ_MAX), in the arena. Of several terms all photos
 * that have the first one are walked until so many have the others too. */
int photo_index_find(DbTx *tx, const Library *library, const PhotoQuery *query, size_t max,
                     PhotoRow **ret_rows, size_t *ret_n);

/* Puts the term first that the fewest photos have, as far as a look at a thousand tells. */
int photo_index_rarest_first(DbTx *tx, const Library *library, PhotoQuery *query);

/* The place of the n-th photo (from 1 on) that has the query's first term; or NONE: there are
 * fewer. That far is walked at most when it is made the query's `until`. */
enum {
    PHOTO_INDEX_E_NONE = 1,
};
int photo_index_nth(DbTx *tx, const Library *library, const PhotoQuery *query, size_t n,
                    PhotoPlace *ret_place);

/* At most `max` photos that have one of 17 terms, in the arena; one that has several comes several
 * times. */
#define PHOTO_PROBES 17
int photo_index_probe(DbTx *tx, const Library *library, const int64_t terms[PHOTO_PROBES],
                      size_t max, Uuid **ret_ids, size_t *ret_n);

/* Photos of whoever that were thrown away before then, at most `max`. */
typedef struct PhotoOwner {
    Uuid user_id, photo_id;
} PhotoOwner;
int photo_index_due(DbTx *tx, int64_t before_us, size_t max, Arena *arena, PhotoOwner **ret_due,
                    size_t *ret_n);
