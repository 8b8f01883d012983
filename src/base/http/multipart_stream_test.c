/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/multipart_stream.h"
#include "base/test.h"

/* What a sink was given, as text: "name(file)=bytes;". */
typedef struct Seen {
    Buf text;
    int refuse; /* what `end` returns */
} Seen;

static int seen_begin(void *userdata, const MultipartPart *part) {
    Seen *seen = userdata;

    buf_add_str(&seen->text, part->name);
    if (part->is_file) {
        buf_addf(&seen->text, "(%.*s)", (int)part->filename.len, part->filename.ptr);
    }
    buf_addf(&seen->text, "=");
    return 0;
}

static int seen_bytes(void *userdata, Str bytes) {
    Seen *seen = userdata;

    assert_true(bytes.len > 0);
    buf_add_str(&seen->text, bytes);
    return 0;
}

static int seen_end(void *userdata) {
    Seen *seen = userdata;

    buf_addf(&seen->text, ";");
    return seen->refuse;
}

static const char type[] = "multipart/form-data; boundary=\"x y\"";

/* In two pieces that meet at `cut`: 0 or what adding returned. */
static int read_cut(Str body, size_t cut, Seen *seen, bool *ret_is_whole) {
    MultipartSink sink = {seen_begin, seen_bytes, seen_end, seen};
    _cleanup_(multipart_stream_freep) MultipartStream *stream = multipart_stream_new(type, &sink);
    int r;

    assert_non_null(stream);
    r = multipart_stream_add(stream, (Str){body.ptr, cut});
    if (r == 0) {
        r = multipart_stream_add(stream, (Str){body.ptr + cut, body.len - cut});
    }
    *ret_is_whole = multipart_stream_is_whole(stream);
    return r;
}

static void expect(Str body, const char *text) {
    for (size_t cut = 0; cut <= body.len; cut++) {
        Seen seen = {0};
        bool is_whole;
        assert_int_equal(read_cut(body, cut, &seen, &is_whole), 0);
        assert_true(is_whole);
        assert_string_equal(buf_cstr(&seen.text), text);
        buf_done(&seen.text);
    }
}

#define PART(params) "Content-Disposition: form-data; " params "\r\n\r\n"

static void test_parts_at_every_cut(void **state) {
    (void)state;
    expect(str_lit("--x y\r\n" PART("name=a") "1\r\n--x y--\r\n"), "a=1;");
    expect(str_lit("before\r\n--x y \t\r\n" PART(
               "name=a; filename=\"b c\"") "12\r\n3"
                                           "\r\n--x y\r\nContent-Type: image/jpeg\r\n" PART(
                                               "name=d; filename=e") "\r\n--x y--after --x y\r\n"),
           "a(b c)=12\r\n3;d(e)=;");
    expect(str_lit("--x y\r\n" PART("name=a") "\r\n\r\n--x y--"), "a=\r\n;");
}

static void test_what_only_looks_like_a_boundary(void **state) {
    (void)state;
    expect(str_lit("--x y\r\n" PART("name=a") "1\r\n--x yz\r\n--x \r\n-\r\r\n--x y--"),
           "a=1\r\n--x yz\r\n--x \r\n-\r;");
}

static void test_a_body_cut_short_is_not_whole(void **state) {
    Str body = str_lit("--x y\r\n" PART("name=a") "123\r\n--x y--");

    (void)state;
    for (size_t len = 0; len < body.len; len++) {
        Seen seen = {0};
        bool is_whole;
        assert_int_equal(read_cut((Str){body.ptr, len}, len / 2, &seen, &is_whole), 0);
        assert_false(is_whole);
        buf_done(&seen.text);
    }
}

static void test_what_is_refused(void **state) {
    static const char *const bodies[] = {
        "--x y\r\nContent-Type: a\r\n\r\n1\r\n--x y--",
        "--x y\r\n\r\n1\r\n\r\n--x y--",
        "--x y\r\n" PART("filename=a") "1\r\n--x y--",
        "--x y\r\nContent-Transfer-Encoding: base64\r\n" PART("name=a") "1\r\n--x y--",
    };
    MultipartSink sink = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        Seen seen = {0};
        bool is_whole;
        assert_int_equal(read_cut(str_from(bodies[i]), 0, &seen, &is_whole), MULTIPART_E_MALFORMED);
        buf_done(&seen.text);
    }
    assert_null(multipart_stream_new(NULL, &sink));
    assert_null(multipart_stream_new("multipart/form-data", &sink));
    assert_null(multipart_stream_new("multipart/mixed; boundary=a", &sink));
    assert_null(multipart_stream_new("image/jpeg; boundary=a", &sink));
}

static void test_headers_have_a_bound(void **state) {
    _cleanup_(buf_done) Buf body = BUF_INIT;
    Seen seen = {0};
    bool is_whole;

    (void)state;
    buf_addf(&body, "--x y\r\nX: ");
    for (size_t i = 0; i < 9000; i++) {
        buf_add(&body, "y", 1);
    }
    assert_int_equal(read_cut(buf_str(&body), 4000, &seen, &is_whole), MULTIPART_E_MALFORMED);
    buf_done(&seen.text);
}

static void test_the_sink_may_end_it(void **state) {
    Seen seen = {.refuse = 7};
    bool is_whole;

    (void)state;
    assert_int_equal(
        read_cut(str_lit("--x y\r\n" PART("name=a") "1\r\n--x y--"), 3, &seen, &is_whole), 7);
    buf_done(&seen.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_at_every_cut),
        cmocka_unit_test(test_what_only_looks_like_a_boundary),
        cmocka_unit_test(test_a_body_cut_short_is_not_whole),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_headers_have_a_bound),
        cmocka_unit_test(test_the_sink_may_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
