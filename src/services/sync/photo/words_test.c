/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/words.h"

#include "base/test.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/terms.h"

#include <stdio.h>

static void check_fold(Arena *arena, const char *text, const char *expected) {
    Str folded = words_fold(str_from(text), arena);

    assert_string_equal(arena_strdup(arena, folded), expected);
}

static void folds_case_accents_and_signs(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();

    (void)state;
    check_fold(arena, "Frühstück am Zürichsee!", "fruhstuck am zurichsee");
    check_fold(arena,
               "Fru\xcc\x88hstu\xcc\x88"
               "ck",
               "fruhstuck"); /* composed or not */
    check_fold(arena, "STRASSE Straße", "strasse strasse");
    check_fold(arena, "  IMG_20260504-1.jpg ", "img 20260504 1 jpg");
    check_fold(arena, "ＡＢＣ №5 ﬁn", "abc no5 fin");
    check_fold(arena, "Ελλάδα МОСКВА 東京", "ελλαδα москва 東京");
    check_fold(arena, "", "");
    check_fold(arena, "!?", "");
    check_fold(arena, "\xff\xfe", "");
}

static void cuts_what_is_too_long(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    char text[6000];
    Str rest, word;

    (void)state;
    memset(text, 'a', sizeof(text));
    rest = words_fold((Str){text, sizeof(text)}, arena);
    assert_int_equal(rest.len, 4096);
    assert_true(words_next(&rest, &word));
    assert_int_equal(word.len, WORD_LEN_MAX);
    assert_false(words_next(&rest, &word));
    for (size_t i = 0; i + 1 < sizeof(text); i += 2) {
        memcpy(text + i, "\xc3\x9f", 2); /* twice as long when it is folded, and not cut within */
    }
    rest = words_fold((Str){text, sizeof(text)}, arena);
    assert_true(str_is_utf8(rest));
}

static void beginnings_are_of_whole_characters(void **state) {
    (void)state;
    assert_int_equal(word_prefix_len(str_lit("東京都"), 2), 6);
    assert_int_equal(word_prefix_len(str_lit("ab"), 5), 2);
    assert_int_equal(word_prefix_len(str_lit(""), 2), 0);
}

static void times_are_days_that_there_are(void **state) {
    static const char *const wrong[] = {"",
                                        "2026-05-04",
                                        "2026-02-30T00:00:00",
                                        "2026-13-01T00:00:00",
                                        "2026-00-01T00:00:00",
                                        "2026-05-04T24:00:00",
                                        "2026-05-04T12:60:00",
                                        "2026-05-04 12:30:00",
                                        "1799-01-01T00:00:00",
                                        "2201-01-01T00:00:00",
                                        "2026-05-04T12:30:0x",
                                        "-026-05-04T12:30:00"};
    char text[LOCAL_TIME_SIZE];
    int64_t s;

    (void)state;
    assert_int_equal(local_time_parse(str_lit("1970-01-02T00:00:01"), &s), 0);
    assert_int_equal(s, 86401);
    assert_int_equal(local_time_parse(str_lit("2024-02-29T23:59:59"), &s), 0);
    local_time_write(s, text);
    assert_string_equal(text, "2024-02-29T23:59:59");
    assert_int_equal(local_time_parse(str_lit("1826-06-01T12:00:00"), &s), 0);
    assert_true(s < 0);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (local_time_parse(str_from(wrong[i]), &s) == 0) {
            fail_msg("'%s' is taken for a time", wrong[i]);
        }
    }
}

static void photos_sort_by_when_they_were_taken(void **state) {
    json_t *photo = json_pack("{s:I}", "added", (json_int_t)5000);

    (void)state;
    assert_int_equal(photo_sort_us(photo), 5000000);
    json_object_set_new(photo, "captured", json_string("1970-01-01T02:00:00"));
    assert_int_equal(photo_sort_us(photo), 7200LL * 1000000);
    json_object_set_new(photo, "offset", json_integer(60));
    assert_int_equal(photo_sort_us(photo), 3600LL * 1000000);
    assert_int_equal(photo_local_s(photo), 7200);
    json_object_set_new(photo, "captured", json_string("nonsense"));
    assert_int_equal(photo_sort_us(photo), 5000000);
    json_decref(photo);
}

static void terms_are_those_of_the_photo(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    UserKey key = {.bytes = {1}}, other = {.bytes = {2}};
    Library library = {.key = &key, .arena = arena};
    json_t *photo = json_pack("{s:s,s:[s],s:s,s:I}", "name", "Strand.jpg", "tags", "Rot und Blau",
                              "phash", "00000000ffff1234", "added", (json_int_t)1);
    Terms terms, again;

    (void)state;
    terms_of_photo(&library, photo, &terms);
    for (size_t i = 1; i < terms.n; i++) {
        assert_true(terms.all[i - 1] < terms.all[i]);
    }
    assert_true(terms_have(&terms, term_of(&key, false, TERM_WORD, str_lit("str"))));
    assert_true(terms_have(&terms, term_of(&key, false, TERM_WORD, str_lit("strand"))));
    assert_true(terms_have(&terms, term_of(&key, false, TERM_TAG, str_lit("rot und blau"))));
    assert_true(terms_have(&terms, term_of_band(&key, false, 0, 0x1234)));
    assert_true(terms_have(&terms, term_of_band(&key, false, 1, 0xffff)));
    assert_false(terms_have(&terms, term_of_band(&key, false, 0, 0xffff)));
    assert_false(terms_have(&terms, term_of(&key, false, TERM_WORD, str_lit("s"))));
    assert_false(terms_have(&terms, term_of(&key, false, TERM_TAG, str_lit("rot"))));
    assert_false(terms_have(&terms, term_of(&key, true, TERM_WORD, str_lit("strand"))));
    assert_false(terms_have(&terms, term_of(&other, false, TERM_WORD, str_lit("strand"))));
    terms_of_photo(&library, photo, &again);
    assert_int_equal(again.n, terms.n);
    assert_memory_equal(again.all, terms.all, terms.n * sizeof(*terms.all));
    json_decref(photo);
}

static void a_photo_has_no_more_terms_than_may_be(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(buf_done) Buf caption = BUF_INIT;
    UserKey key = {.bytes = {1}};
    Library library = {.key = &key, .arena = arena};
    json_t *tags = json_array();
    Terms terms;

    (void)state;
    for (int i = 0; i < 100; i++) {
        char tag[100];
        snprintf(tag, sizeof(tag), "aaaaaaaaaaaaaaa%d bbbbbbbbbbbbbbbbb%d ccccccccccccc%d", i, i,
                 i);
        json_array_append_new(tags, json_string(tag));
        buf_addf(&caption, "wortwortwortwort%d ", i);
    }
    json_t *photo = json_pack("{s:s,s:o,s:s,s:s}", "name", "x", "tags", tags, "caption",
                              buf_cstr(&caption), "phash", "0123456789abcdef");
    terms_of_photo(&library, photo, &terms);
    assert_true(terms.n > 100 && terms.n <= TERMS_MAX);
    json_decref(photo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_case_accents_and_signs),
        cmocka_unit_test(cuts_what_is_too_long),
        cmocka_unit_test(beginnings_are_of_whole_characters),
        cmocka_unit_test(times_are_days_that_there_are),
        cmocka_unit_test(photos_sort_by_when_they_were_taken),
        cmocka_unit_test(terms_are_those_of_the_photo),
        cmocka_unit_test(a_photo_has_no_more_terms_than_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
