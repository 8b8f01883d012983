/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/excerpt.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/blobs/sealed_blob.h"
#include "core/model/film_box.h"

#define PIECE_LEN ((size_t)1 << 20)
#define BOXES_MAX 64 /* that are looked at from outside to find "moov" */

static int read_bytes(Blobs *blobs, const StoredBlob *blob, uint64_t at, void *bytes, size_t n) {
    int r = sealed_blob_read(blobs, str_from(blob->name), blob->key, blob->size, at, bytes, n);

    return r > 0 ? EXCERPT_E_LOST : err_trace(r);
}

static int copy(Blobs *blobs, const StoredBlob *blob, uint64_t from, uint64_t len, Arena *arena,
                int *ret_fd) {
    _cleanup_(fd_closep) int fd = -1;
    char *piece = arena_alloc(arena, (size_t)MIN((uint64_t)PIECE_LEN, len + 1));
    int r = fd_memory_new("photo", &fd);

    for (uint64_t at = 0; r == 0 && at < len; at += PIECE_LEN) {
        size_t n = (size_t)MIN((uint64_t)PIECE_LEN, len - at);
        r = read_bytes(blobs, blob, from + at, piece, n);
        if (r == 0) {
            r = fd_write_all(fd, piece, n);
        }
    }
    if (r == 0) {
        r = fd_memory_seal(fd);
    }
    if (r == 0) {
        *ret_fd = TAKE_FD(fd);
    }
    return r < 0 ? err_trace(r) : r;
}

/* Most films end with it, or begin with it after a few bytes. */
static int find_moov(Blobs *blobs, const StoredBlob *blob, uint64_t *ret_at, uint64_t *ret_len) {
    char head[FILM_BOX_HEAD_MAX];
    uint64_t at = 0;
    FilmBox box;

    for (unsigned i = 0; i < BOXES_MAX && at < blob->size; i++) {
        size_t n = (size_t)MIN((uint64_t)sizeof(head), blob->size - at);
        int r = read_bytes(blobs, blob, at, head, n);
        if (r != 0) {
            return r;
        }
        if (!film_box_read((Str){head, n}, blob->size - at, &box)) {
            break;
        }
        if (memcmp(box.type, "moov", 4) == 0) {
            *ret_at = at;
            *ret_len = box.size;
            return box.size > EXCERPT_FILM_MAX ? EXCERPT_E_TOO_LARGE : 0;
        }
        at += box.size;
    }
    return EXCERPT_E_BROKEN;
}

int excerpt_take(Blobs *blobs, const StoredBlob *blob, PhotoKind kind, Arena *arena, int *ret_fd,
                 uint64_t *ret_len) {
    uint64_t at = 0, len = blob->size;
    int r = 0;

    if (kind == PHOTO_KIND_VIDEO) {
        r = find_moov(blobs, blob, &at, &len);
    } else if (len > EXCERPT_PICTURE_MAX) {
        r = EXCERPT_E_TOO_LARGE;
    }
    if (r == 0) {
        r = copy(blobs, blob, at, len, arena, ret_fd);
    }
    if (r == 0) {
        *ret_len = len;
    }
    return r < 0 ? err_trace(r) : r;
}
