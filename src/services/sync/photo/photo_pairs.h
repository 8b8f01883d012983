/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How photos that belong together find each other: the picture and the film of a Live Photo, a raw
 * file and its JPEG. Each names the other in `pair`, and they lie in the same albums. Calls run in
 * a transaction of the caller's.
 */

#include "services/sync/objects.h"

/*
 * The other half of the photo `id`, whose new state is given, if it is there and nobody's yet: by
 * the identifier that their camera wrote into both (`content_id`), else by their names but for the
 * endings and their times. It is joined: see photo_pair_join(). Whichever of the two is looked into
 * later finds the other. 0 or a fault.
 */
int photo_pair_find(DbTx *tx, const Library *library, const Uuid *id, json_t *state);

/* Makes a pair of them: writes the other, and changes `state` for the caller to write. 0 or a
 * fault. */
int photo_pair_join(DbTx *tx, const Library *library, const Uuid *id, json_t *state,
                    const Object *other);

/* Whichever the photo was joined with is by itself again, and written; the photo's own state is the
 * caller's to write. 0 or a fault. */
int photo_pair_part(DbTx *tx, const Library *library, const Object *photo);
