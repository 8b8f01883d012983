/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes: format detection, header limits, and for small pictures the whole decoding and taking
 * in. */
#include "imaging/decode.h"
#include "imaging/ingest.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    return imaging_start(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const ImagingLimits limits = {1 << 18, 4096, 50};
    Str bytes = {(const char *)data, size};
    const char *detail = NULL;
    ImageInfo info;
    Picture picture = PICTURE_INIT;
    int r = image_probe(bytes, &limits, &info, &detail);

    if (r < 0 || (r > 0 && !detail)) {
        abort();
    }
    if (r > 0) {
        return 0;
    }
    if ((uint64_t)info.width * info.height > limits.pixels_max || info.pages > limits.pages_max) {
        abort();
    }
    r = decode_picture(bytes, &info, 0, &picture, &detail);
    if (r < 0 || (r == 0 && (picture.width != info.width || picture.height != info.height))) {
        abort();
    }
    picture_done(&picture);
    if (r == 0) {
        IngestInput input = {bytes, &limits, {64, 16}};
        IngestOutput output;
        r = ingest_photo(&input, &output, &detail);
        if (r != RENDER_UNREADABLE) { /* as a half, what can be read as a whole cannot always be */
            if (r != 0 || !photo_info_valid(&output.photo) || output.mezzanine.width > 64 ||
                output.thumbnail.height > 16) {
                abort();
            }
            ingest_output_done(&output);
        }
    }
    return 0;
}
