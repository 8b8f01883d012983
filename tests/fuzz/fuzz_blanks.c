/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a picture: where its metadata is said to lie, there is a place, in order. */
#include "imaging/metadata_blanks.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte: the format, and how it is to be turned. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const ImageFormat formats[] = {IMAGE_FORMAT_JPEG, IMAGE_FORMAT_PNG, IMAGE_FORMAT_WEBP};
    char text[BLANKS_TEXT_MAX + 1];
    Blanks blanks;

    if (size == 0) {
        return 0;
    }
    Str file = {(const char *)data + 1, size - 1};
    metadata_blanks_find(file, formats[data[0] % ARRAY_LEN(formats)], 1 + data[0] / 3 % 8, text);
    if (text[0] != '\0') {
        char *copy = malloc(file.len + 1);
        if (blanks_parse(str_from(text), file.len, &blanks) != 0) {
            abort();
        }
        memcpy(copy, file.ptr, file.len);
        blanks_apply(&blanks, 0, copy, file.len);
        free(copy);
    }
    return 0;
}
