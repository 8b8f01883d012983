/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/pair.h"

typedef enum Half {
    HALF_NONE,
    HALF_PICTURE, /* HEIC or JPEG */
    HALF_FILM,
    HALF_RAW,
} Half;

static const struct {
    const char *extension;
    Half half;
} extensions[] = {
    {"heic", HALF_PICTURE}, {"heif", HALF_PICTURE}, {"jpg", HALF_PICTURE}, {"jpeg", HALF_PICTURE},
    {"mov", HALF_FILM},     {"mp4", HALF_FILM},     {"dng", HALF_RAW},     {"cr2", HALF_RAW},
    {"cr3", HALF_RAW},      {"nef", HALF_RAW},      {"arw", HALF_RAW},     {"raf", HALF_RAW},
    {"orf", HALF_RAW},      {"rw2", HALF_RAW},      {"pef", HALF_RAW},     {"srw", HALF_RAW},
};

Str pair_stem(Str path) {
    const char *slash = memrchr(path.ptr, '/', path.len);
    size_t begin = slash ? (size_t)(slash + 1 - path.ptr) : 0;
    const char *dot = memrchr(path.ptr + begin, '.', path.len - begin);

    return dot ? (Str){path.ptr, (size_t)(dot - path.ptr)} : path;
}

static Half half_of(Str path) {
    size_t stem = pair_stem(path).len;

    for (size_t i = 0; i < ARRAY_LEN(extensions) && stem < path.len; i++) {
        if (str_equal_nocase((Str){path.ptr + stem + 1, path.len - stem - 1},
                             str_from(extensions[i].extension))) {
            return extensions[i].half;
        }
    }
    return HALF_NONE;
}

bool pair_is_one(Str a, Str b) {
    Half one = half_of(a), other = half_of(b);

    return one != HALF_NONE && other != HALF_NONE && one != other &&
           (one == HALF_PICTURE || other == HALF_PICTURE) && str_equal(pair_stem(a), pair_stem(b));
}

/* The first file at or after that path. */
static size_t lower_bound(const Scan *scan, Str path) {
    size_t low = 0, high = scan->n_files;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (scan_compare(scan->files[middle].path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const ScanFile *pair_find(const Scan *scan, Str path) {
    Str stem = pair_stem(path);

    if (half_of(path) == HALF_NONE) {
        return NULL;
    }
    for (size_t i = lower_bound(scan, stem);
         i < scan->n_files && str_starts_with(scan->files[i].path, stem); i++) {
        if (pair_is_one(path, scan->files[i].path)) {
            return &scan->files[i];
        }
    }
    return NULL;
}
