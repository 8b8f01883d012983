/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/ingest.h"

#include "base/clock.h"
#include "base/error.h"
#include "imaging/decode.h"
#include "imaging/exif.h"
#include "imaging/metadata_blanks.h"
#include "imaging/perceptual_hash.h"

/* The eye sees no difference at these, and the files are half as large as at 90. */
#define MEZZANINE_QUALITY 85
#define THUMBNAIL_QUALITY 80

static double take_ms(uint64_t *at_us) {
    uint64_t now = clock_mono_us();
    double ms = (double)(now - *at_us) / 1000;

    *at_us = now;
    return ms;
}

/* A TIFF is laid out as EXIF is, which was made from it; other formats hold EXIF as a block. */
static void read_photo(VipsImage *image, const IngestInput *input, IngestOutput *output) {
    const void *block = NULL;
    size_t len = 0;

    output->photo = PHOTO_INFO_INIT;
    output->photo.orientation = (uint32_t)decode_orientation(image);
    if (output->info.format == IMAGE_FORMAT_TIFF) {
        exif_read(input->bytes, &output->photo);
    } else if (vips_image_get_typeof(image, VIPS_META_EXIF_NAME) &&
               vips_image_get_blob(image, VIPS_META_EXIF_NAME, &block, &len) == 0) {
        exif_read((Str){block, len}, &output->photo);
    }
    vips_error_clear();
    metadata_blanks_find(input->bytes, output->info.format, output->photo.orientation,
                         output->photo.blanks);
}

/* As the caller knows it, whatever the picture says; consumes `image`. NULL: memory is exhausted.
 */
static VipsImage *set_orientation(VipsImage *image, uint32_t orientation, ImageInfo *info) {
    _cleanup_(image_unrefp) VipsImage *from = image;
    uint32_t width = info->width;
    VipsImage *copy;

    if ((decode_orientation(from) >= 5) != (orientation >= 5)) {
        info->width = info->height;
        info->height = width;
    }
    /* An opened image may be shared: it is not to be written to. */
    if (vips_copy(from, &copy, NULL)) {
        vips_error_clear();
        return NULL;
    }
    vips_image_set_int(copy, VIPS_META_ORIENTATION, (int)orientation);
    return copy;
}

static int decode(const IngestInput *input, IngestOutput *output, Picture *ret_picture,
                  const char **reterr_detail) {
    VipsImage *image;
    int r = image_probe(input->bytes, input->limits, &output->info, reterr_detail);

    if (r != 0) {
        return r;
    }
    image = decode_open_fit(input->bytes, &output->info, input->sides.mezzanine_max);
    if (!image) {
        *reterr_detail = "The picture is broken or ends too early.";
        return RENDER_UNREADABLE;
    }
    if (input->sides.orientation != 0) {
        image = set_orientation(image, input->sides.orientation, &output->info);
        if (!image) {
            return err_trace(-ENOMEM);
        }
    }
    read_photo(image, input, output);
    r = decode_fit(image, &output->info, input->sides.mezzanine_max, ret_picture, reterr_detail);
    if (r == 0 && picture_is_opaque(ret_picture)) {
        free(TAKE_PTR(ret_picture->alpha));
    }
    return r;
}

static int encode(const Picture *picture, uint32_t quality, IngestFile *file) {
    file->format = picture->alpha ? OUTPUT_FORMAT_WEBP : OUTPUT_FORMAT_JPEG;
    file->width = picture->width;
    file->height = picture->height;
    return encode_picture(picture, file->format, quality, &file->encoded);
}

static int encode_both(const IngestInput *input, Picture *picture, IngestOutput *output) {
    uint32_t side = MIN(input->sides.thumbnail_max, input->sides.mezzanine_max), width, height;
    int r = encode(picture, MEZZANINE_QUALITY, &output->mezzanine);

    if (r == 0 && MAX(picture->width, picture->height) > side) {
        picture_fit(picture->width, picture->height, side, &width, &height);
        r = picture_scale(picture, width, height);
    }
    if (r == 0) {
        output->hash = perceptual_hash(picture);
        r = encode(picture, THUMBNAIL_QUALITY, &output->thumbnail);
    }
    return r < 0 ? err_trace(r) : 0;
}

int ingest_photo(const IngestInput *input, IngestOutput *ret_output, const char **reterr_detail) {
    _cleanup_(ingest_output_done) IngestOutput output = {0};
    _cleanup_(picture_done) Picture picture = PICTURE_INIT;
    uint64_t at = clock_mono_us(), start = at;
    int r;

    *reterr_detail = "";
    r = decode(input, &output, &picture, reterr_detail);
    output.timings.decode = take_ms(&at);
    if (r == 0) {
        r = encode_both(input, &picture, &output);
        output.timings.encode = take_ms(&at);
    }
    output.timings.total = (double)(at - start) / 1000;
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    *ret_output = output;
    output.mezzanine.encoded.bytes = output.thumbnail.encoded.bytes = NULL;
    return 0;
}

void ingest_output_done(IngestOutput *output) {
    g_free(output->mezzanine.encoded.bytes);
    g_free(output->thumbnail.encoded.bytes);
    output->mezzanine.encoded = output->thumbnail.encoded = (Encoded){0};
}
