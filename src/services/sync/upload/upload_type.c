/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/upload_type.h"

typedef struct Magic {
    size_t at;
    Str bytes;
    const char *type;
} Magic;

#define MAGIC(at, text, type)                                                                      \
    { at, {text, sizeof(text) - 1}, type }

/* The first that fits. Raw kinds built on TIFF say so behind its head, or not at all. */
static const Magic magics[] = {
    MAGIC(0, "\xff\xd8\xff", "image/jpeg"),
    MAGIC(0, "\x89PNG\r\n\x1a\n", "image/png"),
    MAGIC(8, "WEBPVP8", "image/webp"),
    MAGIC(0, "GIF87a", "image/gif"),
    MAGIC(0, "GIF89a", "image/gif"),
    MAGIC(8, "CR\x02", "image/x-canon-cr2"),
    MAGIC(0, "IIU\0", "image/x-panasonic-rw2"),
    MAGIC(0, "IIRO", "image/x-olympus-orf"),
    MAGIC(0, "MMOR", "image/x-olympus-orf"),
    MAGIC(0, "FUJIFILMCCD-RAW", "image/x-fuji-raf"),
    MAGIC(0, "II*\0", "image/tiff"),
    MAGIC(0, "MM\0*", "image/tiff"),
    MAGIC(0, "BM", "image/bmp"),
    MAGIC(4, "ftypavif", "image/avif"),
    MAGIC(4, "ftypavis", "image/avif"),
    MAGIC(4, "ftyphei", "image/heic"),
    MAGIC(4, "ftyphev", "image/heic"),
    MAGIC(4, "ftypmif1", "image/heif"),
    MAGIC(4, "ftypmsf1", "image/heif"),
    MAGIC(4, "ftypcrx ", "image/x-canon-cr3"),
    MAGIC(4, "ftypqt  ", "video/quicktime"),
    MAGIC(4, "ftypisom", "video/mp4"),
    MAGIC(4, "ftypiso", "video/mp4"),
    MAGIC(4, "ftypmp4", "video/mp4"),
    MAGIC(4, "ftypavc1", "video/mp4"),
    MAGIC(4, "ftypM4V", "video/mp4"),
};

const char *upload_media_type(Str head) {
    for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
        const Magic *magic = &magics[i];
        if (head.len >= magic->at + magic->bytes.len &&
            memcmp(head.ptr + magic->at, magic->bytes.ptr, magic->bytes.len) == 0) {
            return magic->type;
        }
    }
    return NULL;
}
