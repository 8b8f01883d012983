/* SPDX-License-Identifier: Apache-2.0 */
#include "app/cutout_options.h"

#include "base/error.h"

#define JOBS_MAX 256
#define BLUR_MAX 0.05 /* Recipe.blur */

const CutoutOptions cutout_options_init = {
    .recipe = {.roi = {{0, true}, {0, true}, {100, true}, {100, true}},
               .position = {.original = true, .x = 0.5, .y = 0.5},
               .blur = 0.01,
               .semitransparency = true},
};

static int read_format(void *options, const char *text) {
    Recipe *recipe = &((CutoutOptions *)options)->recipe;
    OutputFormat format;

    if (output_format_parse(str_from(text), &format) < 0 || format == OUTPUT_FORMAT_AUTO) {
        return -EINVAL;
    }
    recipe->format = format;
    return 0;
}

static int read_bg_color(void *options, const char *text) {
    CutoutOptions *cutout = options;

    cutout->bg_color = true;
    cutout->recipe.background = RECIPE_BACKGROUND_COLOUR;
    return colour_parse(str_from(text), &cutout->recipe.colour);
}

static int read_blur(void *options, const char *text) {
    CutoutOptions *cutout = options;
    Length amount;
    double share;

    cutout->blur = true;
    cutout->recipe.background = RECIPE_BACKGROUND_BLUR;
    if (!text) {
        return 0;
    }
    if (length_parse(str_from(text), &amount) < 0 || str_ends_with(str_from(text), str_lit("px"))) {
        return -EINVAL;
    }
    share = length_resolve(amount, 1);
    if (!(share > 0 && share <= BLUR_MAX)) {
        return -EINVAL;
    }
    cutout->recipe.blur = share;
    return 0;
}

static int read_crop_margin(void *options, const char *text) {
    Recipe *recipe = &((CutoutOptions *)options)->recipe;

    recipe->crop = true;
    return margin_parse(str_from(text), &recipe->crop_margin);
}

static int read_channels(void *options, const char *text) {
    Recipe *recipe = &((CutoutOptions *)options)->recipe;

    for (int i = 0; recipe_channels_names[i]; i++) {
        if (str_equal(str_from(text), str_from(recipe_channels_names[i]))) {
            recipe->channels = i;
            return 0;
        }
    }
    return -EINVAL;
}

static int read_roi(void *options, const char *text) {
    return roi_parse(str_from(text), &((CutoutOptions *)options)->recipe.roi);
}

static int read_scale(void *options, const char *text) {
    return scale_parse(str_from(text), &((CutoutOptions *)options)->recipe.scale);
}

static int read_position(void *options, const char *text) {
    return position_parse(str_from(text), &((CutoutOptions *)options)->recipe.position);
}

static int read_number(const char *text, uint64_t max, uint64_t *ret_value) {
    uint64_t value;

    if (str_to_u64(str_from(text), &value) < 0 || value < 1 || value > max) {
        return -EINVAL;
    }
    *ret_value = value;
    return 0;
}

static int read_quality(void *options, const char *text) {
    uint64_t quality;

    if (read_number(text, 100, &quality) < 0) {
        return -EINVAL;
    }
    ((CutoutOptions *)options)->recipe.quality = (uint32_t)quality;
    return 0;
}

static int read_jobs(void *options, const char *text) {
    return read_number(text, JOBS_MAX, &((CutoutOptions *)options)->jobs);
}

static const char *const format_choices[] = {"png", "jpg", "webp", "avif", "zip", NULL};

#define AT(member) offsetof(CutoutOptions, member)

const CliOption cutout_options[] = {
    {"output", 'o', CLI_TEXT, AT(out), .value = "OUT",
     .help = "Where to write: a file for one input, a folder for many, - for standard output. "
             "Default: NAME-cutout.EXT beside each input."},
    {"format", 'f', CLI_READ, .read = read_format, .value = "FORMAT", .choices = format_choices,
     .expects = "png, jpg, webp, avif or zip",
     .help = "png, jpg, webp, avif, or zip (color.jpg and alpha.png). Default: by the extension of "
             "OUT, else png."},
    {"bg-color", 0, CLI_READ, .read = read_bg_color, .value = "COLOUR",
     .expects = "a colour: 3, 4, 6 or 8 hex digits or a CSS name",
     .help = "Put this colour behind the subject: f80, ff8800, ff880080, white."},
    {"bg-image", 0, CLI_TEXT, AT(bg_image), .value = "FILE",
     .help = "Put this picture behind the subject, scaled to cover."},
    {"blur", 0, CLI_READ_OPTIONAL, .read = read_blur, .value = "AMOUNT",
     .expects = "an amount up to 5% of the longer side, such as 1%",
     .help = "Keep the background, blurred; by default by 1% of the longer side."},
    {"crop", 0, CLI_FLAG, AT(recipe.crop), .help = "Cut off what is empty around the subject."},
    {"crop-margin", 0, CLI_READ, .read = read_crop_margin, .value = "MARGIN",
     .expects = "one, two or four lengths in CSS order: 30px, '5% 10%' (at most 50% or 500px)",
     .help = "Crop, and keep this much around the subject: 30px, 10%, '5% 10%'. Per cent are of "
             "the subject's size."},
    {"channels", 0, CLI_READ, .read = read_channels, .value = "CHANNELS",
     .choices = recipe_channels_names, .expects = "rgba or alpha",
     .help = "rgba: the picture; alpha: what is subject, as a grey picture."},
    {"roi", 0, CLI_READ, .read = read_roi, .value = "REGION",
     .expects = "a region 'x1 y1 x2 y2' in px or %",
     .help = "Look for the subject in this region only: '10% 0% 90% 100%'."},
    {"scale", 0, CLI_READ, .read = read_scale, .value = "SCALE",
     .expects = "10% to 100%, or original",
     .help = "Scale the subject to this share of the picture."},
    {"position", 0, CLI_READ, .read = read_position, .value = "POSITION",
     .expects = "center, original, or one or two per cents",
     .help = "Where the subject goes: center, original, '50%', '20% 80%'."},
    {"quality", 'q', CLI_READ, .read = read_quality, .value = "N", .expects = "1 to 100",
     .help = "Quality of jpg, webp and avif, 1 to 100."},
    {"recursive", 'r', CLI_FLAG, AT(recursive), .help = "Look into folders in folders."},
    {"jobs", 'j', CLI_READ, .read = read_jobs, .value = "N", .expects = "1 to 256",
     .help = "Pictures worked on at the same time. Default: --workers."},
    {"force", 0, CLI_FLAG, AT(force), .help = "Overwrite outputs that exist already."},
    {"json", 0, CLI_FLAG, AT(json),
     .help = "Print a line of JSON for each input on standard output."},
    {"quiet", 0, CLI_FLAG, AT(quiet), .help = "Say only what went wrong."},
    {0},
};

int cutout_options_check(CutoutOptions *options, const char **reterr_text) {
    if (options->bg_color + options->blur + (options->bg_image != NULL) > 1) {
        *reterr_text = "--bg-color, --bg-image and --blur exclude each other";
        return -EINVAL;
    }
    if (options->json && options->out && str_equal(str_from(options->out), str_lit("-"))) {
        *reterr_text = "--json and -o - would mix on standard output; give -o a file";
        return -EINVAL;
    }
    if (options->bg_image) {
        options->recipe.background = RECIPE_BACKGROUND_IMAGE;
    }
    return 0;
}
