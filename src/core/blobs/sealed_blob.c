/* SPDX-License-Identifier: Apache-2.0 */
#include "core/blobs/sealed_blob.h"

#include "base/error.h"

#define BATCH   16 /* segments that are read from the store at once: 1 MiB */
#define PUT_MAX ((size_t)64 << 20)

size_t sealed_blob_tail_len(uint64_t offset) {
    return offset == 0 ? 0 : (size_t)((offset - 1) % SEGMENT_LEN) + 1;
}

typedef struct Reader {
    Blobs *blobs;
    Str name;
    const uint8_t *key;
    uint64_t size, last; /* the last segment's number */
    uint8_t sealed[BATCH * SEGMENT_SEALED_LEN], plain[SEGMENT_LEN];
} Reader;

/* The bytes of a segment that are in offset..end, to where they belong. */
typedef struct Wanted {
    uint64_t offset, end;
    uint8_t *bytes; /* NULL: they are only verified */
} Wanted;

static size_t segment_len(const Reader *reader, uint64_t number) {
    return number < reader->last ? SEGMENT_LEN : (size_t)(reader->size - number * SEGMENT_LEN);
}

static int open_one(Reader *reader, uint64_t number, const uint8_t *sealed, const Wanted *wanted) {
    size_t len = segment_len(reader, number);
    uint64_t start = number * SEGMENT_LEN;
    uint64_t from = MAX(wanted->offset, start), to = MIN(wanted->end, start + len);
    Str shown = {(const char *)sealed, len + AEAD_OVERHEAD};
    int r = segment_open(reader->key, number, number == reader->last, shown, reader->plain);

    if (r != 0) {
        return r == AEAD_E_FORGED ? SEALED_BLOB_E_DAMAGED : err_trace(r);
    }
    if (wanted->bytes && to > from) {
        memcpy(wanted->bytes + (from - wanted->offset), reader->plain + (from - start), to - from);
    }
    return 0;
}

/* The segments first..first+n-1, with one read. */
static int open_batch(Reader *reader, uint64_t first, uint64_t n, const Wanted *wanted) {
    uint64_t last = first + n - 1;
    size_t len = (size_t)(n - 1) * SEGMENT_SEALED_LEN + segment_len(reader, last) + AEAD_OVERHEAD;
    int r =
        blobs_read(reader->blobs, reader->name, first * SEGMENT_SEALED_LEN, reader->sealed, len);

    if (r != 0) {
        return r == BLOBS_E_SHORT ? SEALED_BLOB_E_DAMAGED : r < 0 ? err_trace(r) : r;
    }
    for (uint64_t i = 0; i < n && r == 0; i++) {
        r = open_one(reader, first + i, reader->sealed + i * SEGMENT_SEALED_LEN, wanted);
    }
    return r;
}

static int read_all(Reader *reader, const Wanted *wanted) {
    uint64_t next = wanted->offset / SEGMENT_LEN;
    uint64_t end = wanted->end == 0 ? 1 : (wanted->end - 1) / SEGMENT_LEN + 1;
    int r = 0;

    for (; next < end && r == 0; next += BATCH) {
        r = open_batch(reader, next, MIN(end - next, (uint64_t)BATCH), wanted);
    }
    return r;
}

static int read_wanted(Blobs *blobs, Str name, const uint8_t key[AEAD_KEY_LEN], uint64_t size,
                       const Wanted *wanted) {
    Reader *reader = malloc(sizeof(*reader));
    int r;

    if (!reader) {
        abort();
    }
    reader->blobs = blobs;
    reader->name = name;
    reader->key = key;
    reader->size = size;
    reader->last = segments_count(size) - 1;
    r = read_all(reader, wanted);
    explicit_bzero(reader->plain, sizeof(reader->plain));
    free(reader);
    return r;
}

int sealed_blob_read(Blobs *blobs, Str name, const uint8_t key[AEAD_KEY_LEN], uint64_t size,
                     uint64_t offset, void *ret_bytes, size_t len) {
    Wanted wanted = {.offset = offset, .bytes = ret_bytes};

    if (len == 0 || size > SEGMENTS_PLAIN_MAX) {
        return err_trace(-EINVAL);
    }
    if (__builtin_add_overflow(offset, (uint64_t)len, &wanted.end) || wanted.end > size) {
        return BLOBS_E_SHORT;
    }
    return read_wanted(blobs, name, key, size, &wanted);
}

int sealed_blob_verify(Blobs *blobs, Str name, const uint8_t key[AEAD_KEY_LEN], uint64_t size) {
    uint64_t there;
    int r = size > SEGMENTS_PLAIN_MAX ? err_trace(-EINVAL) : blobs_size(blobs, name, &there);

    if (r == 0 && there != segments_sealed_len(size)) {
        return SEALED_BLOB_E_DAMAGED;
    }
    return r != 0 ? r : read_wanted(blobs, name, key, size, &(Wanted){.end = size});
}

int sealed_blob_put(Blobs *blobs, Str name, const uint8_t key[AEAD_KEY_LEN], Str bytes) {
    uint64_t n = segments_count(bytes.len);
    size_t len = (size_t)segments_sealed_len(bytes.len);
    _cleanup_(freep) uint8_t *sealed = bytes.len <= PUT_MAX ? malloc(len) : NULL;
    int r = 0;

    if (bytes.len > PUT_MAX) {
        return err_trace(-EFBIG);
    }
    if (!sealed) {
        abort();
    }
    for (uint64_t i = 0; i < n && r == 0; i++) {
        size_t at = (size_t)i * SEGMENT_LEN;
        Str plain = {bytes.len > 0 ? bytes.ptr + at : "", MIN(SEGMENT_LEN, bytes.len - at)};
        r = segment_seal(key, i, i == n - 1, plain, sealed + i * SEGMENT_SEALED_LEN);
    }
    if (r < 0) {
        return err_trace(r);
    }
    r = blobs_put(blobs, name, (Str){(const char *)sealed, len});
    return r < 0 ? err_trace(r) : r;
}
