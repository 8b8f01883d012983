/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a raw file: all that is found lies in it, and only what makes sense is said of it.
 */
#include "core/model/raw_info.h"
#include "imaging/raw_scan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte: of which kind. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const PhotoType types[] = {PHOTO_TYPE_CR3, PHOTO_TYPE_RAF, PHOTO_TYPE_NEF,
                                      PHOTO_TYPE_ORF, PHOTO_TYPE_RW2};
    PhotoInfo photo = PHOTO_INFO_INIT;
    RawScan scan;

    if (size == 0) {
        return 0;
    }
    Str file = {(const char *)data + 1, size - 1};
    raw_scan(file, types[data[0] % ARRAY_LEN(types)], &scan);
    if (scan.n_previews > RAW_PREVIEWS_MAX || scan.orientation > 8 || scan.width > RAW_SIDE_MAX ||
        scan.height > RAW_SIDE_MAX) {
        abort();
    }
    for (size_t i = 0; i < scan.n_previews; i++) {
        Str preview = scan.previews[i];
        if (preview.ptr < file.ptr || preview.len > (size_t)(file.ptr + file.len - preview.ptr)) {
            abort();
        }
    }
    exif_read_parts(&scan.exif, &photo);
    if (!photo_info_valid(&photo)) {
        abort();
    }
    return 0;
}
