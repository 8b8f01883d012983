/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a device may change of a photo: a merge patch (RFC 7396) of some members of its state. */

#include "services/sync/objects.h"

#define PHOTO_NAME_MAX    255  /* bytes */
#define PHOTO_CAPTION_MAX 4000 /* bytes */
#define PHOTO_TAG_MAX     100  /* bytes */
#define PHOTO_TAGS_MAX    100
#define PHOTO_ALBUMS_MAX  100
#define PHOTO_OFFSET_MAX  1080 /* minutes: 18 hours, as far as any clock was ever off UTC */

enum {
    PATCH_E_FIELD = 1, /* with a sentence that says which and why */
};

/* Whether it is such a patch: 0, or PATCH_E_FIELD. That an edit is the photo's is not looked at. */
int patch_check(const json_t *patch, Arena *arena, const char **reterr_detail);

/* Applies one that is, to a state of the caller's own. `now_us`: when it goes to the trash. */
void patch_apply(const json_t *patch, int64_t now_us, json_t *state);
