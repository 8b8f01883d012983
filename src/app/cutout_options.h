/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a person may ask of `imagesync cutout`. */

#include "app/cli.h"
#include "core/model/recipe.h"

typedef struct CutoutOptions {
    Recipe recipe;
    const char *out;
    const char *bg_image;
    bool bg_color, blur; /* whether they were given; the values are in the recipe */
    bool recursive, force, json, quiet;
    uint64_t jobs; /* 0: as many as there are workers */
} CutoutOptions;

extern const CliOption cutout_options[];
extern const CutoutOptions cutout_options_init;

/* What the options mean together. 0, or -EINVAL with a sentence. */
int cutout_options_check(CutoutOptions *options, const char **reterr_text);
