/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What somebody has found out about a photo's file goes into its state; and photos that belong
 * together find each other: the picture and the film of a Live Photo, a raw file and its JPEG, by
 * the identifier that their camera wrote into both, else by their names but for the endings. Calls
 * run in a transaction of the caller's.
 */

#include "services/sync/blob_store.h"
#include "services/sync/objects.h"
#include "services/sync/photo/render.h"

enum {
    PHOTO_LEARN_E_SETTLED = 1, /* it is no more, or needs no look (below), or there is nothing new
                                  of an older one: nothing is done */
};

/* What was learned of a file: a rendering that is RENDER_OK, and of a picture its stored files; or
 * why it is unreadable; of a raw file both. */
typedef struct Lesson {
    bool again; /* of a photo that is not new: what is known of it stays, as do its files, and what
                   was not known is added */
    const Rendering *rendering;              /* NULL: nothing */
    const StoredBlob *mezzanine, *thumbnail; /* NULL: no picture is made of it */
    const char *reason;                      /* NULL: it is readable */
} Lesson;

extern const DbStatement photo_learn_statements[];
extern const size_t photo_learn_statements_len;

/* Whether a photo in that state is to be looked into: a new one until it is "ready" (an unreadable
 * one comes again when an operator puts its job back), one that is not new unless that is under
 * way. */
bool photo_is_to_learn(const json_t *state, bool again);

/* 0, PHOTO_LEARN_E_SETTLED, or a fault. */
int photo_learn(DbTx *tx, const Library *library, const Uuid *photo_id, const Lesson *lesson);

/* Whether the owner wants to keep where photos were taken: not unless told. */
int library_keeps_places(DbTx *tx, const Library *library, bool *ret_keeps);
int library_keep_places(DbTx *tx, const Library *library, bool keeps);
