/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/removebg.h"

#include <math.h>

static bool read_size(Str text, void *target) {
    static const char *const names[] = {"preview", "small", "regular", "medium", "hd",
                                        "full",    "4k",    "50MP",    "auto",   NULL};
    static const RemovebgSize sizes[] = {
        REMOVEBG_SIZE_PREVIEW, REMOVEBG_SIZE_PREVIEW, REMOVEBG_SIZE_PREVIEW,
        REMOVEBG_SIZE_MEDIUM,  REMOVEBG_SIZE_HD,      REMOVEBG_SIZE_FULL,
        REMOVEBG_SIZE_FULL,    REMOVEBG_SIZE_50MP,    REMOVEBG_SIZE_AUTO};
    RemovebgRequest *request = target;
    int index;

    if (!field_read_name(text, names, &index)) {
        return false;
    }
    request->size = sizes[index];
    return true;
}

static bool read_type(Str text, void *target) {
    RemovebgRequest *request = target;

    if (str_equal_nocase(text, str_lit("graphics"))) {
        request->recipe.subject = RECIPE_SUBJECT_GRAPHIC;
        return true;
    }
    return field_read_name(text, recipe_subject_names, &request->recipe.subject);
}

static bool read_type_level(Str text, void *target) {
    static const char *const names[] = {"none", "1", "2", "latest", NULL};
    RemovebgRequest *request = target;
    int index;

    if (!field_read_name(text, names, &index)) {
        return false;
    }
    request->type_level = (RemovebgTypeLevel)MIN(index, (int)REMOVEBG_TYPE_LEVEL_2);
    return true;
}

static bool read_format(Str text, void *target) {
    RemovebgRequest *request = target;
    OutputFormat format;

    if (output_format_parse(text, &format) < 0 || format == OUTPUT_FORMAT_AVIF) {
        return false;
    }
    request->recipe.format = format;
    return true;
}

static bool read_roi(Str text, void *target) {
    return roi_parse(text, &((RemovebgRequest *)target)->recipe.roi) == 0;
}

static bool read_crop(Str text, void *target) {
    return field_read_bool(text, &((RemovebgRequest *)target)->recipe.crop);
}

static bool read_crop_margin(Str text, void *target) {
    return margin_parse(text, &((RemovebgRequest *)target)->recipe.crop_margin) == 0;
}

static bool read_position(Str text, void *target) {
    return position_parse(text, &((RemovebgRequest *)target)->recipe.position) == 0;
}

/* After `position` in the table: a scaled subject is centred unless it was put somewhere. */
static bool read_scale(Str text, void *target) {
    Recipe *recipe = &((RemovebgRequest *)target)->recipe;

    if (scale_parse(text, &recipe->scale) < 0) {
        return false;
    }
    if (recipe->scale > 0 && recipe->position.original) {
        recipe->position = (Position){.original = false, .x = 0.5, .y = 0.5};
    }
    return true;
}

static bool read_channels(Str text, void *target) {
    return field_read_name(text, recipe_channels_names,
                           &((RemovebgRequest *)target)->recipe.channels);
}

static bool read_add_shadow(Str text, void *target) {
    return field_read_bool(text, &((RemovebgRequest *)target)->recipe.shadow);
}

/* We draw one kind of shadow. After `add_shadow` in the table: "auto" leaves it to that. */
static bool read_shadow_type(Str text, void *target) {
    static const char *const names[] = {"auto", "none", "drop", "3D", "car", NULL};
    Recipe *recipe = &((RemovebgRequest *)target)->recipe;
    int index;

    if (!field_read_name(text, names, &index)) {
        return false;
    }
    if (index > 0) {
        recipe->shadow = index > 1;
    }
    return true;
}

static bool read_shadow_opacity(Str text, void *target) {
    Recipe *recipe = &((RemovebgRequest *)target)->recipe;
    double per_cent;

    if (str_equal_nocase(text, str_lit("auto"))) {
        return true;
    }
    if (str_to_double(text, &per_cent) < 0 || per_cent < 0 || per_cent > 100) {
        return false;
    }
    recipe->shadow_opacity = per_cent / 100;
    return true;
}

static bool read_semitransparency(Str text, void *target) {
    return field_read_bool(text, &((RemovebgRequest *)target)->recipe.semitransparency);
}

static bool read_bg_color(Str text, void *target) {
    Recipe *recipe = &((RemovebgRequest *)target)->recipe;

    recipe->background = RECIPE_BACKGROUND_COLOUR;
    return colour_parse(text, &recipe->colour) == 0;
}

static const FieldRule rules[] = {
    {"size", read_size, FAILURE_INVALID_SIZE},
    {"type", read_type, FAILURE_INVALID_TYPE},
    {"type_level", read_type_level, FAILURE_INVALID_TYPE_LEVEL},
    {"format", read_format, FAILURE_INVALID_FORMAT},
    {"roi", read_roi, FAILURE_INVALID_ROI},
    {"crop", read_crop, FAILURE_INVALID_CROP},
    {"crop_margin", read_crop_margin, FAILURE_INVALID_CROP_MARGIN},
    {"position", read_position, FAILURE_INVALID_POSITION},
    {"scale", read_scale, FAILURE_INVALID_SCALE},
    {"channels", read_channels, FAILURE_INVALID_CHANNELS},
    {"add_shadow", read_add_shadow, FAILURE_INVALID_ADD_SHADOW},
    {"shadow_type", read_shadow_type, FAILURE_INVALID_SHADOW_TYPE},
    {"shadow_opacity", read_shadow_opacity, FAILURE_INVALID_SHADOW_OPACITY},
    {"semitransparency", read_semitransparency, FAILURE_INVALID_SEMITRANSPARENCY},
    {"bg_color", read_bg_color, FAILURE_INVALID_BG_COLOR},
    {0},
};

Failure removebg_read_fields(const Form *form, RemovebgRequest *request) {
    return fields_read(form, rules, request);
}

const RemovebgTier *removebg_tier(RemovebgSize size, uint64_t pixels, uint64_t available) {
    static const RemovebgTier tiers[] = {
        [REMOVEBG_SIZE_PREVIEW] = {250000, 250000, CREDIT / 4},
        [REMOVEBG_SIZE_MEDIUM] = {1500000, 1500000, CREDIT},
        [REMOVEBG_SIZE_HD] = {4000000, 4000000, CREDIT},
        [REMOVEBG_SIZE_FULL] = {25000000, 10000000, CREDIT},
        [REMOVEBG_SIZE_50MP] = {50000000, 10000000, CREDIT},
    };

    if (size == REMOVEBG_SIZE_AUTO) {
        bool small = pixels <= tiers[REMOVEBG_SIZE_PREVIEW].pixels_max;
        bool poor = available < tiers[REMOVEBG_SIZE_FULL].cost;
        size = small || poor ? REMOVEBG_SIZE_PREVIEW : REMOVEBG_SIZE_FULL;
    }
    return &tiers[size];
}

const char *removebg_type_word(RemovebgTypeLevel level, RecipeSubject found, RecipeSubject said) {
    RecipeSubject subject = found == RECIPE_SUBJECT_AUTO ? said : found;

    if (level == REMOVEBG_TYPE_LEVEL_NONE) {
        return NULL;
    }
    switch (subject) {
    case RECIPE_SUBJECT_PERSON:
    case RECIPE_SUBJECT_PRODUCT:
    case RECIPE_SUBJECT_CAR:
    case RECIPE_SUBJECT_ANIMAL:
        return recipe_subject_names[subject];
    case RECIPE_SUBJECT_TRANSPORTATION:
        return level == REMOVEBG_TYPE_LEVEL_2 ? "transportation" : "other";
    case RECIPE_SUBJECT_GRAPHIC:
        return level == REMOVEBG_TYPE_LEVEL_2 ? "graphics" : "other";
    default:
        return "other";
    }
}

void fit_pixels(uint32_t width, uint32_t height, uint64_t pixels_max, uint32_t *ret_width,
                uint32_t *ret_height) {
    double pixels = (double)width * height;
    double factor = pixels > (double)pixels_max ? sqrt((double)pixels_max / pixels) : 1;

    *ret_width = (uint32_t)MAX(floor(width * factor), 1.0);
    *ret_height = (uint32_t)MAX(floor(height * factor), 1.0);
}
