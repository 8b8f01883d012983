/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/recipe.h"

#include <errno.h>

const char *const recipe_channels_names[] = {"rgba", "alpha", NULL};
const char *const recipe_background_names[] = {"none", "colour", "image", "blur", NULL};
const char *const recipe_subject_names[] = {"auto",    "person",         "product", "car", "animal",
                                            "graphic", "transportation", "other",   NULL};
const char *const output_format_names[] = {"auto", "png", "jpg", "webp", "avif", "zip", NULL};

const char *output_format_media_type(OutputFormat format) {
    static const char *const types[] = {NULL,         "image/png",  "image/jpeg",
                                        "image/webp", "image/avif", "application/zip"};
    return types[format];
}

int output_format_parse(Str text, OutputFormat *ret_format) {
    if (str_equal_nocase(text, str_lit("jpeg"))) {
        *ret_format = OUTPUT_FORMAT_JPEG;
        return 0;
    }
    for (int i = 0; output_format_names[i]; i++) {
        if (str_equal_nocase(text, str_from(output_format_names[i]))) {
            *ret_format = (OutputFormat)i;
            return 0;
        }
    }
    return -EINVAL;
}

#define LENGTH_MAX 1e6

static const JsonField length_fields[] = {
    {"value", JSON_FIELD_DOUBLE, offsetof(Length, value), true, .min = 0, .max = LENGTH_MAX},
    {"percent", JSON_FIELD_BOOL, offsetof(Length, percent), true},
    {0},
};

static const JsonField roi_fields[] = {
    {"x1", JSON_FIELD_OBJECT, offsetof(Roi, x1), true, .fields = length_fields},
    {"y1", JSON_FIELD_OBJECT, offsetof(Roi, y1), true, .fields = length_fields},
    {"x2", JSON_FIELD_OBJECT, offsetof(Roi, x2), true, .fields = length_fields},
    {"y2", JSON_FIELD_OBJECT, offsetof(Roi, y2), true, .fields = length_fields},
    {0},
};

static const JsonField margin_fields[] = {
    {"top", JSON_FIELD_OBJECT, offsetof(Margin, top), true, .fields = length_fields},
    {"right", JSON_FIELD_OBJECT, offsetof(Margin, right), true, .fields = length_fields},
    {"bottom", JSON_FIELD_OBJECT, offsetof(Margin, bottom), true, .fields = length_fields},
    {"left", JSON_FIELD_OBJECT, offsetof(Margin, left), true, .fields = length_fields},
    {0},
};

static const JsonField position_fields[] = {
    {"original", JSON_FIELD_BOOL, offsetof(Position, original), true},
    {"x", JSON_FIELD_DOUBLE, offsetof(Position, x), true, .min = 0, .max = 1},
    {"y", JSON_FIELD_DOUBLE, offsetof(Position, y), true, .min = 0, .max = 1},
    {0},
};

/* The colour travels as "#rrggbbaa", which people read; it is kept beside the struct for the table.
 */
typedef struct RecipeDto {
    Recipe recipe;
    const char *colour;
} RecipeDto;

#define FIELD(member) offsetof(RecipeDto, recipe.member)

static const JsonField dto_fields[] = {
    {"square", JSON_FIELD_U32, FIELD(square), .max = RECIPE_SQUARE_MAX},
    {"roi", JSON_FIELD_OBJECT, FIELD(roi), .fields = roi_fields},
    {"crop", JSON_FIELD_BOOL, FIELD(crop)},
    {"crop_margin", JSON_FIELD_OBJECT, FIELD(crop_margin), .fields = margin_fields},
    {"scale", JSON_FIELD_DOUBLE, FIELD(scale), .min = 0, .max = 1},
    {"position", JSON_FIELD_OBJECT, FIELD(position), .fields = position_fields},
    {"channels", JSON_FIELD_ENUM, FIELD(channels), .names = recipe_channels_names},
    {"background", JSON_FIELD_ENUM, FIELD(background), .names = recipe_background_names},
    {"colour", JSON_FIELD_STR, offsetof(RecipeDto, colour), .max = 9},
    {"blur", JSON_FIELD_DOUBLE, FIELD(blur), .min = 0, .max = 0.05},
    {"subject", JSON_FIELD_ENUM, FIELD(subject), .names = recipe_subject_names},
    {"shadow", JSON_FIELD_BOOL, FIELD(shadow)},
    {"shadow_opacity", JSON_FIELD_DOUBLE, FIELD(shadow_opacity), .min = 0, .max = 1},
    {"semitransparency", JSON_FIELD_BOOL, FIELD(semitransparency)},
    {"despill", JSON_FIELD_BOOL, FIELD(despill)},
    {"watermark", JSON_FIELD_BOOL, FIELD(watermark)},
    {"format", JSON_FIELD_ENUM, FIELD(format), .names = output_format_names},
    {"quality", JSON_FIELD_U32, FIELD(quality), .min = 0, .max = 100},
    {"pixels_max", JSON_FIELD_U64, FIELD(pixels_max)},
    {"png_pixels_max", JSON_FIELD_U64, FIELD(png_pixels_max)},
    {0},
};

json_t *recipe_to_json(const Recipe *recipe) {
    _cleanup_(buf_done) Buf colour = BUF_INIT;
    RecipeDto dto = {.recipe = *recipe};

    buf_addf(&colour, "#%02x%02x%02x%02x", recipe->colour.r, recipe->colour.g, recipe->colour.b,
             recipe->colour.a);
    dto.colour = buf_cstr(&colour);
    return json_write(dto_fields, &dto);
}

int recipe_from_json(const json_t *object, Arena *arena, Recipe *ret_recipe,
                     const char **reterr_where) {
    RecipeDto dto = {.recipe = RECIPE_INIT};
    int r = json_read(object, dto_fields, arena, &dto, reterr_where);

    if (r < 0) {
        return r;
    }
    if (dto.colour && colour_parse(str_from(dto.colour), &dto.recipe.colour) < 0) {
        *reterr_where = "colour";
        return -EINVAL;
    }
    *ret_recipe = dto.recipe;
    return 0;
}
