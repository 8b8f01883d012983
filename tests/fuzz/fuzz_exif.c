/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an EXIF block: whatever it says, only what makes sense comes out of it. */
#include "core/model/photo_type.h"
#include "imaging/exif.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str bytes = {(const char *)data, size};
    PhotoInfo info = PHOTO_INFO_INIT;

    exif_read(bytes, &info);
    if (!photo_info_valid(&info) || !photo_type_info(photo_type_sniff(bytes))->name) {
        abort();
    }
    return 0;
}
