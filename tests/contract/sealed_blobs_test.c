/* SPDX-License-Identifier: Apache-2.0 */

/* Sealed blobs on a store: sealed_blobs_contract URL (blobs_engine.h). */

#include "base/error.h"
#include "base/test.h"
#include "contract/blobs_engine.h"
#include "core/blobs/sealed_blob.h"

#include <stdio.h>

static Blobs *blobs;
static const uint8_t key[AEAD_KEY_LEN] = {5, 6, 7}, other_key[AEAD_KEY_LEN] = {5, 6, 8};

static char byte_at(size_t i, unsigned seed) {
    return (char)((i * 2654435761u + i / 251 + seed) >> 3);
}

static Str pattern(Arena *arena, size_t len, unsigned seed) {
    char *bytes = arena_alloc(arena, len + 1);

    for (size_t i = 0; i < len; i++) {
        bytes[i] = byte_at(i, seed);
    }
    return (Str){bytes, len};
}

static void assert_range(Str name, Str whole, uint64_t offset, size_t len) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    char *bytes = arena_alloc(arena, len);

    assert_int_equal(sealed_blob_read(blobs, name, key, whole.len, offset, bytes, len), 0);
    assert_memory_equal(bytes, whole.ptr + offset, len);
}

static void any_length(void **state) {
    static const size_t lengths[] = {0,      1,      65535,  65536,   65537,
                                     131072, 131073, 200000, 1048576, 3145731};
    _cleanup_(arena_freep) Arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        Str name = str_from(arena_printf(arena, "sealed/%zu", lengths[i]));
        Str whole = pattern(arena, lengths[i], (unsigned)i);
        uint64_t there;
        char byte;
        assert_int_equal(sealed_blob_put(blobs, name, key, whole), 0);
        assert_int_equal(blobs_size(blobs, name, &there), 0);
        assert_int_equal(there, segments_sealed_len(whole.len));
        if (whole.len > 0) {
            assert_range(name, whole, 0, whole.len);
            assert_range(name, whole, whole.len - 1, 1);
        }
        assert_int_equal(sealed_blob_read(blobs, name, key, whole.len, whole.len, &byte, 1),
                         BLOBS_E_SHORT);
        assert_int_equal(sealed_blob_verify(blobs, name, key, whole.len), 0);
        assert_int_equal(sealed_blob_put(blobs, name, key, whole), BLOBS_E_EXISTS);
    }
}

static void ranges_across_segments(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str name = str_lit("sealed/ranges"), whole = pattern(arena, 20 * 65536 + 77, 3);

    (void)state;
    assert_int_equal(sealed_blob_put(blobs, name, key, whole), 0);
    for (size_t at = 0; at < whole.len; at += 65536 / 2 - 1) {
        assert_range(name, whole, at, MIN((size_t)65538, whole.len - at));
        assert_range(name, whole, at, 1);
    }
}

/* In pieces of that length, the stage closed and opened again after each. */
static void grow(Str name, Str whole, size_t piece) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str tail = {0};

    for (size_t at = 0; at < whole.len; at += piece) {
        _cleanup_(sealed_stage_freep) SealedStage *stage = NULL;
        Str more = {whole.ptr + at, MIN(piece, whole.len - at)};
        assert_int_equal(sealed_stage_open(blobs, name, key, at, tail, NULL, &stage), 0);
        assert_int_equal(sealed_stage_write(stage, more), 0);
        assert_int_equal(sealed_stage_offset(stage), at + more.len);
        assert_int_equal(sealed_stage_sync(stage, &tail), 0);
        assert_int_equal(tail.len, sealed_blob_tail_len(at + more.len));
        tail = (Str){arena_strdup(arena, tail), tail.len};
    }
    _cleanup_(sealed_stage_freep) SealedStage *stage = NULL;
    assert_int_equal(sealed_stage_open(blobs, name, key, whole.len, tail, NULL, &stage), 0);
    assert_int_equal(sealed_stage_commit(stage), 0);
}

static void a_stage_goes_on_anywhere(void **state) {
    static const size_t pieces[] = {40000, 65536, 65535, 65537, 131072, 3000000};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str whole = pattern(arena, 2u << 20, 4);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        Str name = str_from(arena_printf(arena, "sealed/grown/%zu", pieces[i]));
        grow(name, whole, pieces[i]);
        assert_range(name, whole, 0, whole.len);
        assert_int_equal(sealed_blob_verify(blobs, name, key, whole.len), 0);
    }
}

/* Open all the while, in pieces of any length, and synced now and then; long enough for a folder to
 * write past the page cache. */
static void written_while_more_is_sealed(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(executor_freep) Executor *executor = NULL;
    const ExecutorOptions two = {.name = "stages", .threads = 2, .queue_max = 4};
    Str whole = pattern(arena, (20u << 20) + 12345, 9);

    (void)state;
    assert_int_equal(executor_new(&two, &executor), 0);
    for (unsigned i = 0; i < 2; i++) {
        Str name = str_from(arena_printf(arena, "sealed/long/%u", i));
        _cleanup_(sealed_stage_freep) SealedStage *stage = NULL;
        size_t n = 1;
        assert_int_equal(
            sealed_stage_open(blobs, name, key, 0, (Str){0}, i == 0 ? executor : NULL, &stage), 0);
        for (size_t at = 0; at < whole.len; at += n, n = n * 3 % 786433) {
            Str tail, piece = {whole.ptr + at, MIN(n, whole.len - at)};
            assert_int_equal(sealed_stage_write(stage, piece), 0);
            if (n % 16 == 1) {
                assert_int_equal(sealed_stage_sync(stage, &tail), 0);
            }
        }
        assert_int_equal(sealed_stage_commit(stage), 0);
        assert_range(name, whole, 0, whole.len);
        assert_int_equal(sealed_blob_verify(blobs, name, key, whole.len), 0);
    }
}

/* As after a crash: what was written beyond the offset that was kept is written anew, differently.
 */
static void what_was_not_kept_is_forgotten(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str name = str_lit("sealed/crash"), lost = pattern(arena, 300000, 5);
    Str whole = pattern(arena, 250000, 6), tail;
    char *kept = arena_alloc(arena, SEGMENT_LEN);
    SealedStage *stage;
    size_t len;

    (void)state;
    assert_int_equal(sealed_stage_open(blobs, name, key, 0, (Str){0}, NULL, &stage), 0);
    assert_int_equal(sealed_stage_write(stage, (Str){whole.ptr, 100000}), 0);
    assert_int_equal(sealed_stage_sync(stage, &tail), 0);
    len = tail.len;
    memcpy(kept, tail.ptr, len);
    assert_int_equal(sealed_stage_write(stage, lost), 0);
    assert_int_equal(sealed_stage_sync(stage, &tail), 0);
    sealed_stage_free(stage);
    assert_int_equal(sealed_stage_open(blobs, name, key, 100000, (Str){kept, len}, NULL, &stage),
                     0);
    assert_int_equal(sealed_stage_write(stage, (Str){whole.ptr + 100000, 150000}), 0);
    assert_int_equal(sealed_stage_commit(stage), 0);
    sealed_stage_free(stage);
    assert_range(name, whole, 0, whole.len);
}

static void the_tail_must_fit(void **state) {
    SealedStage *stage;

    (void)state;
    assert_int_equal(
        sealed_stage_open(blobs, str_lit("sealed/tail"), key, 5, str_lit("abc"), NULL, &stage),
        -EINVAL);
    assert_int_equal(
        sealed_stage_open(blobs, str_lit("sealed/tail"), key, 2, str_lit("abc"), NULL, &stage),
        -EINVAL);
    assert_int_equal(sealed_blob_tail_len(0), 0);
    assert_int_equal(sealed_blob_tail_len(65536), 65536);
    assert_int_equal(sealed_blob_tail_len(65537), 1);
}

/* A copy under another name with one byte changed, or cut, or longer. */
static void assert_damaged(Arena *arena, Str sealed, uint64_t size, unsigned number) {
    Str name = str_from(arena_printf(arena, "sealed/damaged/%u", number));
    char byte;

    assert_int_equal(blobs_put(blobs, name, sealed), 0);
    assert_int_equal(sealed_blob_verify(blobs, name, key, size), SEALED_BLOB_E_DAMAGED);
    assert_int_equal(
        sealed_blob_read(blobs, name, key, size, size - 1, &byte, 1) == SEALED_BLOB_E_DAMAGED ||
            sealed_blob_read(blobs, name, key, size, 0, &byte, 1) == SEALED_BLOB_E_DAMAGED,
        1);
    assert_int_equal(blobs_remove(blobs, name), 0);
}

static void any_damage_is_told(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str name = str_lit("sealed/sound"), whole = pattern(arena, 65536 + 900, 7);
    size_t len = (size_t)segments_sealed_len(whole.len);
    char *sealed = arena_alloc(arena, len), *swapped = arena_alloc(arena, 2 * len);
    unsigned number = 0;

    (void)state;
    assert_int_equal(sealed_blob_put(blobs, name, key, whole), 0);
    assert_int_equal(blobs_read(blobs, name, 0, sealed, len), 0);
    for (size_t i = 0; i < len; i += i < 40 || i + 40 > len ? 1 : 1999) {
        sealed[i] = (char)(sealed[i] ^ (1 << (i % 8)));
        assert_damaged(arena, (Str){sealed, len}, whole.len, number++);
        sealed[i] = (char)(sealed[i] ^ (1 << (i % 8)));
    }
    /* The end cut off, also where a segment ends, and said to be as short as that. */
    assert_damaged(arena, (Str){sealed, len - 1}, whole.len, number++);
    assert_damaged(arena, (Str){sealed, SEGMENT_SEALED_LEN}, 65536, number++);
    /* A segment in another's place. */
    memcpy(swapped, sealed + SEGMENT_SEALED_LEN, len - SEGMENT_SEALED_LEN);
    memcpy(swapped + len - SEGMENT_SEALED_LEN, sealed, SEGMENT_SEALED_LEN);
    assert_damaged(arena, (Str){swapped, len}, whole.len, number++);
    assert_int_equal(sealed_blob_verify(blobs, name, other_key, whole.len), SEALED_BLOB_E_DAMAGED);
    assert_int_equal(sealed_blob_verify(blobs, name, key, whole.len - 1), SEALED_BLOB_E_DAMAGED);
    assert_int_equal(sealed_blob_verify(blobs, name, key, whole.len), 0);
    assert_int_equal(sealed_blob_verify(blobs, str_lit("sealed/none"), key, 5), BLOBS_E_NONE);
}

static void nothing_plain_reaches_the_store(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    char *plain = arena_alloc(arena, 100000), *sealed = arena_alloc(arena, 110000);
    size_t len = (size_t)segments_sealed_len(100000);

    (void)state;
    memset(plain, 'A', 100000);
    assert_int_equal(sealed_blob_put(blobs, str_lit("sealed/plain"), key, (Str){plain, 100000}), 0);
    assert_int_equal(blobs_read(blobs, str_lit("sealed/plain"), 0, sealed, len), 0);
    assert_null(memmem(sealed, len, "AAAAAA", 6));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_length),
        cmocka_unit_test(ranges_across_segments),
        cmocka_unit_test(a_stage_goes_on_anywhere),
        cmocka_unit_test(written_while_more_is_sealed),
        cmocka_unit_test(what_was_not_kept_is_forgotten),
        cmocka_unit_test(the_tail_must_fit),
        cmocka_unit_test(any_damage_is_told),
        cmocka_unit_test(nothing_plain_reaches_the_store),
    };
    int failed;

    if (argc != 2 || blobs_engine_open(argv[1], &blobs) < 0) {
        (void)fprintf(stderr, "usage: %s URL, of a store that is new\n", argv[0]);
        return 2;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    blobs_engine_close(blobs);
    return failed;
}
