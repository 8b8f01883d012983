/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What every store of blobs does: blobs_contract URL (blobs_engine.h). The store must be new; each
 * test has names of its own.
 */

#include "base/error.h"
#include "base/test.h"
#include "contract/blobs_engine.h"

#include <pthread.h>
#include <stdio.h>

#define BIG     ((size_t)12 << 20) /* more than two parts of S3 */
#define THREADS 8

static Blobs *blobs;

static char byte_at(size_t i, unsigned seed) {
    return (char)((i * 2654435761u + i / 251 + seed) >> 3);
}

/* Bytes that tell where they are from. */
static Str pattern(Arena *arena, size_t len, unsigned seed) {
    char *bytes = arena_alloc(arena, len + 1);

    for (size_t i = 0; i < len; i++) {
        bytes[i] = byte_at(i, seed);
    }
    return (Str){bytes, len};
}

static void assert_blob(Str name, Str expected) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    char *bytes = arena_alloc(arena, expected.len + 1);
    uint64_t size = 1;

    assert_int_equal(blobs_size(blobs, name, &size), 0);
    assert_int_equal(size, expected.len);
    if (expected.len > 0) {
        assert_int_equal(blobs_read(blobs, name, 0, bytes, expected.len), 0);
        assert_memory_equal(bytes, expected.ptr, expected.len);
    }
    assert_int_equal(blobs_read(blobs, name, expected.len, bytes, 1), BLOBS_E_SHORT);
}

static void assert_none(Str name) {
    uint64_t size = 77;
    char byte = 'x';

    assert_int_equal(blobs_size(blobs, name, &size), BLOBS_E_NONE);
    assert_int_equal(size, 77);
    assert_int_equal(blobs_read(blobs, name, 0, &byte, 1), BLOBS_E_NONE);
}

static void what_is_put_is_there_until_it_is_removed(void **state) {
    Str name = str_lit("basic/00/one");

    (void)state;
    assert_none(name);
    assert_int_equal(blobs_put(blobs, name, str_lit("some bytes")), 0);
    assert_blob(name, str_lit("some bytes"));
    assert_int_equal(blobs_remove(blobs, name), 0);
    assert_none(name);
    assert_int_equal(blobs_remove(blobs, name), 0);
    assert_int_equal(blobs_put(blobs, name, str_lit("others")), 0);
    assert_blob(name, str_lit("others"));
}

static void a_blob_never_changes(void **state) {
    Str name = str_lit("fixed/one");

    (void)state;
    assert_int_equal(blobs_put(blobs, name, str_lit("first")), 0);
    assert_int_equal(blobs_put(blobs, name, str_lit("second")), BLOBS_E_EXISTS);
    assert_blob(name, str_lit("first"));
}

static void any_length_and_any_byte(void **state) {
    static const size_t lengths[] = {0, 1, 4095, 4096, 65537, BIG};
    _cleanup_(arena_freep) Arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        Str name = str_from(arena_printf(arena, "lengths/%zu", lengths[i]));
        Str bytes = pattern(arena, lengths[i], (unsigned)i);
        assert_int_equal(blobs_put(blobs, name, bytes), 0);
        assert_blob(name, bytes);
    }
}

static void a_range_is_read(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str name = str_lit("ranges/one"), bytes = pattern(arena, 300000, 9);
    char *read = arena_alloc(arena, bytes.len);

    (void)state;
    assert_int_equal(blobs_put(blobs, name, bytes), 0);
    assert_int_equal(blobs_read(blobs, name, 65535, read, 65538), 0);
    assert_memory_equal(read, bytes.ptr + 65535, 65538);
    assert_int_equal(blobs_read(blobs, name, 299999, read, 1), 0);
    assert_int_equal(read[0], bytes.ptr[299999]);
    assert_int_equal(blobs_read(blobs, name, 299999, read, 2), BLOBS_E_SHORT);
    assert_int_equal(blobs_read(blobs, name, UINT64_MAX, read, 2), BLOBS_E_SHORT);
    assert_int_equal(blobs_read(blobs, name, 0, read, 0), -EINVAL);
}

static void names_are_checked(void **state) {
    static const char *const bad[] = {"",    "/",   "a/", "/a",  "a//b", ".",    "..", "../a",
                                      "a/.", "A/b", "ä",  "a b", "a-b",  "a\nb", "%2e"};
    char longest[BLOB_NAME_LEN_MAX + 2];
    char byte;
    uint64_t size;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        BlobStage *stage;
        Str name = str_from(bad[i]);
        assert_int_equal(blobs_put(blobs, name, str_lit("x")), -EINVAL);
        assert_int_equal(blobs_size(blobs, name, &size), -EINVAL);
        assert_int_equal(blobs_read(blobs, name, 0, &byte, 1), -EINVAL);
        assert_int_equal(blobs_remove(blobs, name), -EINVAL);
        assert_int_equal(blobs_stage_open(blobs, name, 0, &stage), -EINVAL);
        assert_int_equal(blobs_stage_remove(blobs, name), -EINVAL);
    }
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(blobs_put(blobs, (Str){longest, BLOB_NAME_LEN_MAX + 1}, str_lit("x")),
                     -EINVAL);
    assert_int_equal(blobs_put(blobs, (Str){longest, BLOB_NAME_LEN_MAX}, str_lit("x")), 0);
    assert_blob((Str){longest, BLOB_NAME_LEN_MAX}, str_lit("x"));
}

/* Opens the stage at `offset`, adds the bytes durably and lets go of it. */
static void grow(Str name, uint64_t offset, Str bytes) {
    _cleanup_(blob_stage_freep) BlobStage *stage = NULL;

    assert_int_equal(blobs_stage_open(blobs, name, offset, &stage), 0);
    assert_int_equal(blob_stage_write(stage, bytes), 0);
    assert_int_equal(blob_stage_sync(stage), 0);
}

static int commit(Str name, uint64_t offset) {
    _cleanup_(blob_stage_freep) BlobStage *stage = NULL;
    int r = blobs_stage_open(blobs, name, offset, &stage);

    return r != 0 ? r : blob_stage_commit(stage);
}

static void a_stage_grows_and_becomes_the_blob(void **state) {
    static const size_t cuts[] = {0, 1, 70000, (5u << 20) - 1, 5u << 20, (6u << 20) + 3, BIG};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str name = str_lit("stages/grows"), all = pattern(arena, BIG, 1);

    (void)state;
    for (size_t i = 1; i < ARRAY_LEN(cuts); i++) {
        grow(name, cuts[i - 1], (Str){all.ptr + cuts[i - 1], cuts[i] - cuts[i - 1]});
        assert_none(name);
    }
    assert_int_equal(commit(name, BIG), 0);
    assert_blob(name, all);
    assert_int_equal(commit(name, BIG), BLOBS_E_EXISTS);
    assert_int_equal(commit(name, 0), BLOBS_E_EXISTS);
    assert_blob(name, all);
}

/* Back to the offset before the last one, of which nobody took notice: as after a crash. */
static void a_stage_goes_back_to_its_offset(void **state) {
    static const size_t offsets[] = {100, (5u << 20) + 100, 5u << 20, (10u << 20) - 1};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str first = pattern(arena, BIG, 2), second = pattern(arena, BIG, 3);
    char *expected = arena_alloc(arena, 2 * BIG);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
        Str name = str_from(arena_printf(arena, "stages/back/%zu", i));
        size_t at = offsets[i], end = at + 5000 + i * (3u << 20);
        memcpy(expected, first.ptr, at);
        memcpy(expected + at, second.ptr, end - at);
        grow(name, 0, (Str){first.ptr, at});
        grow(name, at, (Str){first.ptr + at, BIG - at});
        grow(name, at, (Str){second.ptr, end - at});
        assert_int_equal(commit(name, end), 0);
        assert_blob(name, (Str){expected, end});
    }
}

static void a_stage_begins_again(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str name = str_lit("stages/again");

    (void)state;
    grow(name, 0, pattern(arena, BIG, 2));
    grow(name, 0, str_lit("other"));
    assert_int_equal(commit(name, BIG), BLOBS_E_SHORT);
    assert_int_equal(commit(name, 5), 0);
    assert_blob(name, str_lit("other"));
}

static void a_stage_never_skips(void **state) {
    _cleanup_(blob_stage_freep) BlobStage *stage = NULL;
    Str name = str_lit("stages/skips");

    (void)state;
    assert_int_equal(blobs_stage_open(blobs, name, 1, &stage), BLOBS_E_SHORT);
    grow(name, 0, str_lit("ab"));
    grow(name, 2, str_lit("c"));
    assert_int_equal(blobs_stage_open(blobs, name, 4, &stage), BLOBS_E_SHORT);
    assert_int_equal(commit(name, 2), 0);
    assert_blob(name, str_lit("ab"));
}

/* The pieces are written with one stage, synced after each. */
static void many_syncs_of_one_stage(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str name = str_lit("stages/syncs"), all = pattern(arena, BIG, 8);
    BlobStage *stage;

    (void)state;
    assert_int_equal(blobs_stage_open(blobs, name, 0, &stage), 0);
    assert_int_equal(blob_stage_sync(stage), 0);
    for (size_t at = 0, n; at < all.len; at += n) {
        n = MIN(all.len - at, (size_t)777777);
        assert_int_equal(blob_stage_write(stage, (Str){all.ptr + at, n}), 0);
        assert_int_equal(blob_stage_sync(stage), 0);
        assert_int_equal(blob_stage_sync(stage), 0);
    }
    assert_int_equal(blob_stage_commit(stage), 0);
    blob_stage_free(stage);
    assert_blob(name, all);
}

/* As when a process stood still until its lease was another's, and goes on in the middle of a
 * write. */
static void a_stage_that_was_taken_harms_nobody(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    static const size_t kept[] = {0, 300000, 6000000}; /* of S3 the last is a part, and some */
    Str all = pattern(arena, 19000000, 11), other = pattern(arena, 7000000, 12);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        _cleanup_(blob_stage_freep) BlobStage *first = NULL, *second = NULL;
        Str name = str_from(arena_printf(arena, "stages/taken/%zu", i));
        Str whole = {all.ptr, 3 * kept[i] + 900000};
        size_t half = kept[i] + whole.len / 3;
        int r;
        assert_int_equal(blobs_stage_open(blobs, name, 0, &first), 0);
        assert_int_equal(blob_stage_write(first, (Str){all.ptr, kept[i]}), 0);
        assert_int_equal(blob_stage_sync(first), 0);
        assert_int_equal(blobs_stage_open(blobs, name, kept[i], &second), 0);
        (void)blob_stage_write(first, other);
        assert_int_equal(blob_stage_write(second, (Str){all.ptr + kept[i], half - kept[i]}), 0);
        assert_int_equal(blob_stage_sync(second), 0);
        (void)blob_stage_write(first, other);
        assert_int_equal(blob_stage_write(second, (Str){all.ptr + half, whole.len - half}), 0);
        assert_int_equal(blob_stage_commit(second), 0);
        assert_blob(name, whole);
        r = blob_stage_commit(first);
        /* Of a multipart upload S3 cannot tell who completed it. */
        assert_true(r != 0 || kept[i] > 5u << 20);
        assert_blob(name, whole);
    }
}

static void an_empty_stage_is_an_empty_blob(void **state) {
    (void)state;
    assert_int_equal(commit(str_lit("stages/empty"), 0), 0);
    assert_blob(str_lit("stages/empty"), (Str){0});
}

static void a_removed_stage_is_gone(void **state) {
    _cleanup_(blob_stage_freep) BlobStage *stage = NULL;
    Str name = str_lit("stages/removed");

    (void)state;
    assert_int_equal(blobs_stage_remove(blobs, name), 0);
    grow(name, 0, str_lit("abc"));
    assert_int_equal(blobs_stage_remove(blobs, name), 0);
    assert_int_equal(blobs_stage_open(blobs, name, 3, &stage), BLOBS_E_SHORT);
    assert_none(name);
}

static void a_blob_that_is_there_keeps_a_stage_out(void **state) {
    Str name = str_lit("stages/late");
    BlobStage *stage;

    (void)state;
    grow(name, 0, str_lit("mine"));
    assert_int_equal(blobs_put(blobs, name, str_lit("theirs")), 0);
    assert_int_equal(blobs_stage_open(blobs, name, 0, &stage), BLOBS_E_EXISTS);
    assert_blob(name, str_lit("theirs"));
    assert_int_equal(blobs_stage_remove(blobs, name), 0);
    assert_blob(name, str_lit("theirs"));
}

static bool is_ours(Str name) {
    return str_starts_with(name, str_lit("list/"));
}

/* All of this test's names by pages of `max`, in one string. */
static const char *listed(BlobArea area, size_t max, Arena *arena) {
    const char *all = "";
    Str after = str_lit("list");

    for (;;) {
        BlobEntry *entries;
        size_t n;
        assert_int_equal(blobs_list(blobs, area, after, max, arena, &entries, &n), 0);
        assert_true(n <= max);
        for (size_t i = 0; i < n && is_ours(entries[i].name); i++) {
            all = arena_printf(arena, "%s %.*s:%llu", all, (int)entries[i].name.len,
                               entries[i].name.ptr, (unsigned long long)entries[i].size);
            assert_true(entries[i].changed_us > 1600000000000000);
        }
        if (n < max || !is_ours(entries[n - 1].name)) {
            return all;
        }
        after = entries[n - 1].name;
    }
}

static void names_are_listed_in_order_by_pages(void **state) {
    static const char *const names[] = {"list/b/z",    "list/a0", "list/a/y", "list/a_",
                                        "list/b/aa/c", "list/0",  "list/b0",  "list/a/x"};
    static const char expected[] = " list/0:1 list/a/x:8 list/a/y:3 list/a0:2 list/a_:4 "
                                   "list/b/aa/c:5 list/b/z:1 list/b0:7";
    static const unsigned sizes[] = {1, 2, 3, 4, 5, 1, 7, 8};
    _cleanup_(arena_freep) Arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(blobs_put(blobs, str_from(names[i]), (Str){"12345678", sizes[i]}), 0);
    }
    for (size_t max = 1; max < 10; max++) {
        assert_string_equal(listed(BLOB_AREA_BLOBS, max, arena), expected);
    }
    assert_string_equal(listed(BLOB_AREA_BLOBS, 1000, arena), expected);
}

static void stages_are_listed_apart(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();

    (void)state;
    grow(str_lit("list/stage/b"), 0, str_lit("abc"));
    grow(str_lit("list/stage/a"), 0, pattern(arena, (6u << 20) + 1, 4));
    assert_string_equal(listed(BLOB_AREA_STAGES, 1, arena), " list/stage/a:6291457 list/stage/b:3");
    assert_int_equal(commit(str_lit("list/stage/b"), 3), 0);
    assert_int_equal(blobs_stage_remove(blobs, str_lit("list/stage/a")), 0);
    assert_string_equal(listed(BLOB_AREA_STAGES, 5, arena), "");
}

typedef struct Racer {
    pthread_t thread;
    unsigned number;
    unsigned won;
} Racer;

static void *race(void *userdata) {
    Racer *racer = userdata;
    _cleanup_(arena_freep) Arena *arena = arena_new();

    for (unsigned i = 0; i < 20; i++) {
        Str name = str_from(arena_printf(arena, "race/%u/x", i));
        Str own = str_from(arena_printf(arena, "race/own%u/%u", racer->number, i));
        int r = blobs_put(blobs, name, pattern(arena, 3000, racer->number));
        racer->won += r == 0;
        if ((r != 0 && r != BLOBS_E_EXISTS) || blobs_put(blobs, own, str_lit("x")) != 0 ||
            blobs_remove(blobs, own) != 0) {
            racer->won = 1000;
        }
    }
    return NULL;
}

/* Folders come and go under the others' hands. */
static void of_many_writers_one_wins(void **state) {
    Racer racers[THREADS];
    unsigned won = 0;

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (Racer){.number = i};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(racers[i].thread, NULL);
        won += racers[i].won;
    }
    assert_int_equal(won, 20);
}

static void a_store_that_is_gone_is_not_empty(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    BlobEntry *entries;
    BlobStage *stage;
    uint64_t size;
    size_t n;

    (void)state;
    blobs_engine_hide_marker(true);
    assert_int_equal(blobs_size(blobs, str_lit("gone/one"), &size), -ENOMEDIUM);
    assert_int_equal(blobs_read(blobs, str_lit("gone/one"), 0, &size, 1), -ENOMEDIUM);
    assert_int_equal(blobs_put(blobs, str_lit("gone/one"), str_lit("x")), -ENOMEDIUM);
    assert_int_equal(blobs_remove(blobs, str_lit("gone/one")), -ENOMEDIUM);
    assert_int_equal(blobs_stage_open(blobs, str_lit("gone/one"), 0, &stage), -ENOMEDIUM);
    assert_int_equal(blobs_list(blobs, BLOB_AREA_BLOBS, (Str){0}, 10, arena, &entries, &n),
                     -ENOMEDIUM);
    blobs_engine_hide_marker(false);
    assert_none(str_lit("gone/one"));
}

static void a_store_is_recognised(void **state) {
    const char *reason = NULL;

    (void)state;
    assert_int_equal(blobs_engine_reopen(blobs_engine_id(), &reason), 0);
    assert_int_equal(blobs_engine_reopen("", &reason), 0);
    assert_int_equal(blobs_engine_reopen("01890000-0000-7000-8000-000000000000", &reason),
                     -ENOMEDIUM);
    assert_non_null(reason);
    blobs_engine_hide_marker(true);
    assert_int_equal(blobs_engine_reopen(blobs_engine_id(), &reason), -ENOMEDIUM);
    assert_int_equal(blobs_engine_reopen("", &reason), -ENOMEDIUM); /* there are blobs in it */
    blobs_engine_hide_marker(false);
    assert_int_equal(blobs_engine_reopen(blobs_engine_id(), &reason), 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_there_until_it_is_removed),
        cmocka_unit_test(a_blob_never_changes),
        cmocka_unit_test(any_length_and_any_byte),
        cmocka_unit_test(a_range_is_read),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(a_stage_grows_and_becomes_the_blob),
        cmocka_unit_test(a_stage_goes_back_to_its_offset),
        cmocka_unit_test(a_stage_begins_again),
        cmocka_unit_test(a_stage_never_skips),
        cmocka_unit_test(many_syncs_of_one_stage),
        cmocka_unit_test(a_stage_that_was_taken_harms_nobody),
        cmocka_unit_test(an_empty_stage_is_an_empty_blob),
        cmocka_unit_test(a_removed_stage_is_gone),
        cmocka_unit_test(a_blob_that_is_there_keeps_a_stage_out),
        cmocka_unit_test(names_are_listed_in_order_by_pages),
        cmocka_unit_test(stages_are_listed_apart),
        cmocka_unit_test(of_many_writers_one_wins),
        cmocka_unit_test(a_store_that_is_gone_is_not_empty),
        cmocka_unit_test(a_store_is_recognised),
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
