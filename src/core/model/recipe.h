/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A recipe: what is done to a photo and how the result is written, as data. A rendition is a pure
 * function of (original, recipe, model), so a recipe has no place for anything else.
 */

#include "base/json.h"
#include "core/model/colour.h"
#include "core/model/measure.h"

typedef enum RecipeChannels {
    RECIPE_CHANNELS_RGBA,
    RECIPE_CHANNELS_ALPHA, /* the matte as a grey picture */
} RecipeChannels;

typedef enum RecipeBackground {
    RECIPE_BACKGROUND_NONE,   /* transparent; flattened on white where the format has no alpha */
    RECIPE_BACKGROUND_COLOUR, /* `colour`, which may be translucent */
    RECIPE_BACKGROUND_IMAGE,  /* the second picture, centred and scaled to cover the canvas */
    RECIPE_BACKGROUND_BLUR,   /* the original's own background, blurred */
} RecipeBackground;

typedef enum RecipeSubject {
    RECIPE_SUBJECT_AUTO,
    RECIPE_SUBJECT_PERSON,
    RECIPE_SUBJECT_PRODUCT,
    RECIPE_SUBJECT_CAR,
    RECIPE_SUBJECT_ANIMAL,
    RECIPE_SUBJECT_GRAPHIC,
    RECIPE_SUBJECT_TRANSPORTATION,
    RECIPE_SUBJECT_OTHER,
} RecipeSubject;

typedef enum OutputFormat {
    OUTPUT_FORMAT_AUTO, /* PNG when any pixel is not opaque, else JPEG */
    OUTPUT_FORMAT_PNG,
    OUTPUT_FORMAT_JPEG,
    OUTPUT_FORMAT_WEBP,
    OUTPUT_FORMAT_AVIF,
    OUTPUT_FORMAT_ZIP, /* color.jpg (corrected edge colours) and alpha.png */
} OutputFormat;

extern const char *const recipe_channels_names[];   /* rgba alpha */
extern const char *const recipe_background_names[]; /* none colour image blur */
extern const char *const recipe_subject_names[];    /* auto person product car ... */
extern const char *const output_format_names[];     /* auto png jpg webp avif zip */

/* "image/png" ...; NULL for auto. */
const char *output_format_media_type(OutputFormat format);
/* Finds "png", "jpg", "jpeg", "webp", "avif", "zip" or "auto", in any case; -EINVAL otherwise. */
int output_format_parse(Str text, OutputFormat *ret_format);

#define RECIPE_SQUARE_MAX 4096

typedef struct Recipe {
    /* 0: the subject is cut out. Else nothing is: the middle square of the picture, upright, on
     * white, at so many pixels a side; of the rest only format and quality count. */
    uint32_t square;
    Roi roi; /* the subject is looked for here only; the rest becomes background */
    bool crop;
    Margin crop_margin; /* of the subject's size; only with crop */
    double scale;       /* 0: as it is, else the subject's size as a share of the canvas */
    Position position;
    int channels;   /* RecipeChannels */
    int background; /* RecipeBackground */
    Colour colour;
    double blur;             /* Gaussian sigma as a share of the longer side, 0 < blur <= 0.05 */
    int subject;             /* RecipeSubject: what the caller says it is */
    bool shadow;             /* a soft shadow beneath the subject */
    double shadow_opacity;   /* of its darkest part: 0 none ... 1 black */
    bool semitransparency;   /* false: what is inside the outline is made opaque */
    bool despill;            /* take green or blue screen spill off the subject */
    bool watermark;          /* stripes over all of it: a result to judge, not to use */
    int format;              /* OutputFormat */
    uint32_t quality;        /* 1..100 for JPEG, WebP, AVIF; 0: the format's default */
    uint64_t pixels_max;     /* the result is scaled down to this many pixels; 0: no limit */
    uint64_t png_pixels_max; /* the same when the result turns out to be a PNG; 0: pixels_max */
} Recipe;

#define RECIPE_SHADOW_OPACITY 0.45 /* dark enough to stand on, not to be looked at */

/* Everything at its default: cut out, transparent, automatic format, original size. */
#define RECIPE_INIT                                                                                \
    ((Recipe){.roi = ROI_WHOLE,                                                                    \
              .position = {.original = true, .x = 0.5, .y = 0.5},                                  \
              .blur = 0.01,                                                                        \
              .shadow_opacity = RECIPE_SHADOW_OPACITY,                                             \
              .semitransparency = true})

json_t *recipe_to_json(const Recipe *recipe);
/* 0, or -EINVAL with the member at fault. Members that are absent have their defaults. */
int recipe_from_json(const json_t *object, Arena *arena, Recipe *ret_recipe,
                     const char **reterr_where);
