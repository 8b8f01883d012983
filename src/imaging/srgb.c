/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/srgb.h"

#include "imaging/decode.h"

#define CUBE_SIDE      5 /* colours of each channel that a profile is judged by */
#define SRGB_TOLERANCE 2

VipsImage *srgb_to_nearest(VipsImage *image) {
    _cleanup_(image_unrefp) VipsImage *from = image;
    _cleanup_(image_unrefp) VipsImage *whole = NULL;
    VipsImage *out = NULL;

    if (vips_rint(from, &whole, NULL) || vips_cast(whole, &out, VIPS_FORMAT_UCHAR, NULL)) {
        return NULL;
    }
    return out;
}

/* The colours of the embedded profile as 8-bit sRGB. NULL when it does not fit its picture. */
static VipsImage *apply_profile(VipsImage *image) {
    const char *otherwise = image->Type == VIPS_INTERPRETATION_CMYK ? "cmyk" : "srgb";
    VipsImage *out = NULL;

    return vips_icc_transform(image, &out, "srgb", "embedded", TRUE, "input_profile", otherwise,
                              "intent", VIPS_INTENT_PERCEPTUAL, "depth", 8, NULL)
               ? NULL
               : out;
}

/* The same for 16 bits and alpha, which the transform would clip instead of scaling it. */
static VipsImage *apply_profile_beside_alpha(VipsImage *image) {
    _cleanup_(image_unrefp) VipsImage *colours = NULL;
    _cleanup_(image_unrefp) VipsImage *shown = NULL;
    _cleanup_(image_unrefp) VipsImage *alpha = NULL;
    _cleanup_(image_unrefp) VipsImage *scaled = NULL;
    int last = image->Bands - 1;
    VipsImage *out = NULL;

    if (vips_extract_band(image, &colours, 0, "n", last, NULL) ||
        !(shown = apply_profile(colours)) || vips_extract_band(image, &alpha, last, NULL) ||
        vips_linear1(alpha, &scaled, 1 / 257.0, 0, NULL)) {
        return NULL;
    }
    scaled = srgb_to_nearest(TAKE_PTR(scaled));
    return !scaled || vips_bandjoin2(shown, scaled, &out, NULL) ? NULL : out;
}

/*
 * Whether the embedded profile changes hardly any colour of a coarse cube: most photos carry sRGB's
 * under one of its many names, and transforming them is a slow way of changing nothing.
 */
static bool is_srgb_profile(VipsImage *image) {
    uint8_t cube[CUBE_SIDE * CUBE_SIDE * CUBE_SIDE][3];
    _cleanup_(image_unrefp) VipsImage *raw = NULL;
    _cleanup_(image_unrefp) VipsImage *colours = NULL;
    _cleanup_(image_unrefp) VipsImage *shown = NULL;
    _cleanup_(image_unrefp) VipsImage *flat = NULL;
    const void *profile;
    size_t len;

    for (unsigned i = 0; i < ARRAY_LEN(cube); i++) {
        cube[i][0] = (uint8_t)(i % CUBE_SIDE * 255 / (CUBE_SIDE - 1));
        cube[i][1] = (uint8_t)(i / CUBE_SIDE % CUBE_SIDE * 255 / (CUBE_SIDE - 1));
        cube[i][2] = (uint8_t)(i / CUBE_SIDE / CUBE_SIDE * 255 / (CUBE_SIDE - 1));
    }
    raw = vips_image_new_from_memory(cube, sizeof(cube), ARRAY_LEN(cube), 1, 3, VIPS_FORMAT_UCHAR);
    if (image->Bands < 3 || vips_image_get_blob(image, VIPS_META_ICC_NAME, &profile, &len) ||
        !raw || vips_copy(raw, &colours, "interpretation", VIPS_INTERPRETATION_sRGB, NULL)) {
        return false;
    }
    vips_image_set_blob_copy(colours, VIPS_META_ICC_NAME, profile, len);
    shown = apply_profile(colours);
    flat = shown ? vips_image_copy_memory(shown) : NULL;
    for (unsigned i = 0; flat && i < sizeof(cube); i++) {
        if (abs(((const uint8_t *)VIPS_IMAGE_ADDR(flat, 0, 0))[i] - cube[i / 3][i % 3]) >
            SRGB_TOLERANCE) {
            return false;
        }
    }
    return flat != NULL;
}

VipsImage *srgb_from(VipsImage *image) {
    _cleanup_(image_unrefp) VipsImage *from = image;
    bool cmyk = from->Type == VIPS_INTERPRETATION_CMYK;
    bool profile = vips_image_get_typeof(from, VIPS_META_ICC_NAME) != 0;
    bool deep_alpha = from->BandFmt == VIPS_FORMAT_USHORT && vips_image_hasalpha(from);
    VipsImage *out = NULL;

    if ((cmyk || (profile && !is_srgb_profile(from))) && from->Coding == VIPS_CODING_NONE &&
        from->BandFmt <= VIPS_FORMAT_USHORT) {
        out = deep_alpha ? apply_profile_beside_alpha(from) : apply_profile(from);
        if (out) {
            return out;
        }
    }
    vips_error_clear(); /* a profile that does not fit its picture is ignored */
    return vips_colourspace(from, &out, VIPS_INTERPRETATION_sRGB, NULL) ? NULL : out;
}
