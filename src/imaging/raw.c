/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/raw.h"

#include "imaging/decode.h"
#include "imaging/raw_scan.h"

/* The largest JPEG that libvips can open; NULL: there is none. */
static VipsImage *open_largest(const RawScan *scan, Str *ret_preview) {
    VipsImage *largest = NULL;
    uint64_t most = 0;

    for (size_t i = 0; i < scan->n_previews; i++) {
        VipsImage *image = decode_open(scan->previews[i], IMAGE_FORMAT_JPEG, 1);
        uint64_t pixels = image ? (uint64_t)image->Xsize * (uint64_t)image->Ysize : 0;
        if (pixels > most) {
            most = pixels;
            *ret_preview = scan->previews[i];
            g_clear_object(&largest);
            largest = g_steal_pointer(&image);
        }
        g_clear_object(&image);
    }
    return largest;
}

static void read_preview(VipsImage *image, PhotoInfo *photo) {
    const void *block;
    size_t len;

    photo->orientation = (uint32_t)decode_orientation(image);
    if (vips_image_get_typeof(image, VIPS_META_EXIF_NAME) &&
        vips_image_get_blob(image, VIPS_META_EXIF_NAME, &block, &len) == 0) {
        exif_read((Str){block, len}, photo);
    }
    vips_error_clear();
}

/* That of a JPEG of all of the picture is what people see: sensors have a border that is cut off.
 */
static void take_size(RawScan *scan, const VipsImage *preview) {
    uint64_t pixels = (uint64_t)preview->Xsize * (uint64_t)preview->Ysize;

    if (pixels >= (uint64_t)scan->width * scan->height / 10 * 9) {
        scan->width = (uint32_t)preview->Xsize;
        scan->height = (uint32_t)preview->Ysize;
    }
}

void raw_read(Str file, PhotoType type, RawInfo *ret_raw, PhotoInfo *ret_photo) {
    _cleanup_(image_unrefp) VipsImage *image = NULL;
    PhotoInfo photo = PHOTO_INFO_INIT;
    RawInfo raw = {0};
    RawScan scan;
    Str preview;

    raw_scan(file, type, &scan);
    image = open_largest(&scan, &preview);
    if (image) {
        read_preview(image, &photo);
        take_size(&scan, image);
        raw.preview_offset = (uint64_t)(preview.ptr - file.ptr);
        raw.preview_len = preview.len;
    }
    if (scan.orientation != 0) {
        photo.orientation = scan.orientation;
    }
    exif_read_parts(&scan.exif, &photo);
    raw.width = photo.orientation >= 5 ? scan.height : scan.width;
    raw.height = photo.orientation >= 5 ? scan.width : scan.height;
    *ret_raw = raw;
    *ret_photo = photo;
}
