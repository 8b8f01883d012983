/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/http/form.h"
#include "base/test.h"

#include <errno.h>
#include <stdio.h>

#define MULTIPART  "multipart/form-data; boundary=XX"
#define URLENCODED "application/x-www-form-urlencoded"

typedef struct Fixture {
    Arena *arena;
    Form form;
    const char *detail;
} Fixture;

static int set_up(void **state) {
    Fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->arena = arena_new();
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    Fixture *fixture = *state;
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static int parse(Fixture *fixture, const char *type, Str body) {
    fixture->form = (Form){0};
    fixture->detail = NULL;
    return form_parse(type, body, fixture->arena, &fixture->form, &fixture->detail);
}

static void assert_field(Fixture *fixture, const char *name, const char *value,
                         const char *filename) {
    const FormField *field = form_find(&fixture->form, name);

    if (!field) {
        fail_msg("no field %s", name);
        return;
    }
    if (!str_equal(field->value, str_from(value))) {
        fail_msg("%s is \"%.*s\", not \"%s\"", name, (int)field->value.len, field->value.ptr,
                 value);
    }
    if (filename) {
        assert_non_null(field->filename);
        assert_string_equal(field->filename, filename);
    } else {
        assert_null(field->filename);
    }
}

static void reads_what_browsers_and_curl_send(void **state) {
    Fixture *fixture = *state;
    const Str body =
        str_lit("--XX\r\n"
                "Content-Disposition: form-data; name=\"size\"\r\n\r\nauto\r\n"
                "--XX\r\n"
                "content-disposition:form-data;name=image_file; filename=\"a\\\"b.jpg\""
                "\r\nContent-Type: image/jpeg\r\nX-More: 1\r\n\r\n"
                "\xff\xd8\r\n--X\r\n--XXY\r\n--XX--Y\r\n\r\n"
                "--XX--\r\n");

    assert_int_equal(parse(fixture, "Multipart/Form-Data; charset=x; BOUNDARY=\"XX\"", body), 0);
    assert_int_equal(fixture->form.n_fields, 2);
    assert_field(fixture, "size", "auto", NULL);
    assert_field(fixture, "image_file", "\xff\xd8\r\n--X\r\n--XXY\r\n--XX--Y\r\n", "a\"b.jpg");
    /* Nothing was copied. */
    assert_in_range((uintptr_t)form_find(&fixture->form, "size")->value.ptr, (uintptr_t)body.ptr,
                    (uintptr_t)body.ptr + body.len);
}

static void tolerates_odd_but_clear_bodies(void **state) {
    static const char head[] = "Content-Disposition: form-data; name=\"a\"\r\n";
    Fixture *fixture = *state;
    char *body;

    /* A preamble, blanks after the boundary, no line end after the last one, an epilogue. */
    body = arena_printf(fixture->arena, "hello\r\n--XX \t\r\n%s\r\n1\r\n--XX--", head);
    assert_int_equal(parse(fixture, MULTIPART, str_from(body)), 0);
    assert_field(fixture, "a", "1", NULL);
    body = arena_printf(fixture->arena, "--XX\r\n%s\r\n1\r\n--XX--\nbye\r\n--XX\r\n", head);
    assert_int_equal(parse(fixture, MULTIPART, str_from(body)), 0);
    assert_int_equal(fixture->form.n_fields, 1);
    /* An empty part, with and without a line of its own. */
    body = arena_printf(fixture->arena, "--XX\r\n%s\r\n\r\n--XX--\r\n", head);
    assert_int_equal(parse(fixture, MULTIPART, str_from(body)), 0);
    assert_field(fixture, "a", "", NULL);
    body = arena_printf(fixture->arena, "--XX\r\n%s\r\n--XX--\r\n", head);
    assert_int_equal(parse(fixture, MULTIPART, str_from(body)), 0);
    assert_field(fixture, "a", "", NULL);
    /* A header folded over two lines; no field at all. */
    assert_int_equal(parse(fixture, MULTIPART,
                           str_lit("--XX\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\n\r\n"
                                   "\r\n--XX--\r\n")),
                     0);
    assert_field(fixture, "a", "", NULL);
    assert_int_equal(parse(fixture, MULTIPART, str_lit("--XX--\r\n")), 0);
    assert_int_equal(fixture->form.n_fields, 0);
}

static void reads_file_names_in_every_spelling(void **state) {
    static const char *const cases[][2] = {
        {"filename=\"\"", ""},
        {"filename=plain.png", "plain.png"},
        {"filename=\"C:\\photos\\new.png\"", "C:\\photos\\new.png"},
        {"filename=\"a;b=c.png\"", "a;b=c.png"},
        {"filename=\"x\"; filename*=UTF-8''%c3%a9t%C3%A9.png", "\xc3\xa9t\xc3\xa9.png"},
        {"filename*=utf-8'en'a%20b", "a b"},
        {"filename=\"\xc3\xa9.png\"", "\xc3\xa9.png"},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *body =
            arena_printf(fixture->arena,
                         "--XX\r\nContent-Disposition: form-data; name=\"f\"; %s\r\n\r\nv\r\n"
                         "--XX--\r\n",
                         cases[i][0]);
        assert_int_equal(parse(fixture, MULTIPART, str_from(body)), 0);
        assert_field(fixture, "f", "v", cases[i][1]);
    }
}

static void refuses_malformed_multipart(void **state) {
#define PART "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1"
    static const struct {
        const char *type;
        Str body;
    } cases[] = {
        {MULTIPART, {"", 0}},
        {MULTIPART, str_lit("no boundary")},
        {MULTIPART, str_lit(PART)},
        {MULTIPART, str_lit(PART "\r\n--XX\r\n")},
        {MULTIPART, str_lit(PART "\r\n--XX-")},
        {MULTIPART, str_lit("--XX\r\n\r\n1\r\n--XX--\r\n")},
        {MULTIPART, str_lit("--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XX--\r\n")},
        {MULTIPART, str_lit("--XX\r\nContent-Disposition: file; name=\"a\"\r\n\r\n\r\n--XX--\r\n")},
        {MULTIPART, str_lit("--XX\r\nno colon\r\n\r\n1\r\n--XX--\r\n")},
        {MULTIPART,
         str_lit("--XX\r\nContent-Disposition: form-data; name=\"a\0b\"\r\n\r\n1\r\n--XX--\r\n")},
        {MULTIPART, str_lit("--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--XX--")},
        {MULTIPART,
         str_lit("--XX\r\nContent-Disposition: form-data; name=\"a\"; filename*=utf-8''%00\r\n\r\n"
                 "1\r\n--XX--\r\n")},
        {MULTIPART, str_lit("--XX\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: "
                            "form-data; name=\"a\"\r\n\r\nMQ==\r\n--XX--\r\n")},
        {"multipart/form-data", str_lit(PART "\r\n--XX--\r\n")},
        {"multipart/form-data; boundary=", str_lit(PART "\r\n--XX--\r\n")},
        {"multipart/form-data; boundary=\"XX", str_lit(PART "\r\n--XX--\r\n")},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (parse(fixture, cases[i].type, cases[i].body) != FORM_E_MALFORMED) {
            fail_msg("case %zu was read", i);
        }
        assert_non_null(fixture->detail);
    }
    assert_int_equal(parse(fixture,
                           arena_printf(fixture->arena, "multipart/form-data; boundary=%071d", 0),
                           str_lit("x")),
                     FORM_E_MALFORMED);
}

static void keeps_every_limit(void **state) {
    Fixture *fixture = *state;
    _cleanup_(buf_done) Buf parts = BUF_INIT, pairs = BUF_INIT, members = BUF_INIT;

    buf_add_str(&members, str_lit("{\"x\":0"));
    for (int i = 0; i < FORM_FIELDS_MAX; i++) {
        buf_addf(&parts, "--XX\r\nContent-Disposition: form-data; name=\"a%d\"\r\n\r\n1\r\n", i);
        buf_addf(&pairs, "&a%d=1", i);
        buf_addf(&members, ",\"a%d\":1", i);
    }
    assert_int_equal(parse(fixture, URLENCODED, buf_str(&pairs)), 0);
    buf_add_str(&pairs, str_lit("&b"));
    assert_int_equal(parse(fixture, URLENCODED, buf_str(&pairs)), FORM_E_TOO_MANY);
    buf_add_str(&parts, str_lit("--XX\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\n"));
    buf_add_str(&parts, str_lit("--XX--\r\n"));
    assert_int_equal(parse(fixture, MULTIPART, buf_str(&parts)), FORM_E_TOO_MANY);
    buf_add_str(&members, str_lit("}"));
    assert_int_equal(parse(fixture, "application/json", buf_str(&members)), FORM_E_TOO_MANY);
    assert_int_equal(parse(fixture, "text/plain", str_lit("a")), FORM_E_UNSUPPORTED);
    assert_int_equal(parse(fixture, NULL, str_lit("a")), FORM_E_UNSUPPORTED);
    assert_int_equal(parse(fixture, NULL, (Str){NULL, 0}), 0);
}

static void blank_fields_do_not_hide_others(void **state) {
    Fixture *fixture = *state;

    assert_int_equal(parse(fixture, URLENCODED, str_lit("a=1&a=2&a=&b=&c=3")), 0);
    assert_field(fixture, "a", "2", NULL);
    assert_int_equal(form_count(&fixture->form, "a"), 2);
    assert_field(fixture, "b", "", NULL);
    assert_int_equal(form_count(&fixture->form, "b"), 0);
    assert_int_equal(form_count(&fixture->form, "absent"), 0);
    assert_false(fixture->form.multipart);
}

static void reads_urlencoded(void **state) {
    Fixture *fixture = *state;

    assert_int_equal(parse(fixture, URLENCODED "; charset=utf-8",
                           str_lit("a=1+2%263&&b&c%20d=%zz%4&e=&a=last%00x&=empty")),
                     0);
    assert_true(str_equal(form_find(&fixture->form, "a")->value, str_lit("last\0x")));
    assert_field(fixture, "b", "", NULL);
    assert_field(fixture, "c d", "%zz%4", NULL);
    assert_field(fixture, "e", "", NULL);
    assert_field(fixture, "", "empty", NULL);
    assert_string_equal(fixture->form.fields[0].name, "a");
    assert_true(str_equal(fixture->form.fields[0].value, str_lit("1 2&3")));
    assert_null(form_find(&fixture->form, "absent"));
    assert_int_equal(parse(fixture, URLENCODED, str_lit("a%00=1")), FORM_E_MALFORMED);
    assert_int_equal(parse(fixture, URLENCODED, str_lit("a=\xff\xd8\0")), FORM_E_MALFORMED);
    assert_non_null(strstr(fixture->detail, "multipart/form-data"));
    assert_int_equal(parse(fixture, URLENCODED, str_lit(" {\"a\":1}")), FORM_E_MALFORMED);
    assert_non_null(strstr(fixture->detail, "application/json"));
    assert_int_equal(parse(fixture, URLENCODED, str_lit("")), 0);
}

static void reads_flat_json(void **state) {
    static const char *const bad[] = {
        "",
        "[]",
        "1",
        "{\"a\":[]}",
        "{\"a\":{}}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1",
        "{\"a\\u0000\":1}",
        "{\"a\":\"\xff\"}",
        "{\"a\":1}{\"b\":2}",
        "{\"a\":\"\\",
    };
    Fixture *fixture = *state;

    assert_int_equal(
        parse(fixture, "application/json; charset=utf-8",
              str_lit(" {\"s\":\"x[{\\\"y\",\"i\":-12,\"r\":0.1,\"t\":true,\"f\":false,"
                      "\"n\":null}")),
        0);
    assert_int_equal(fixture->form.n_fields, 5);
    assert_field(fixture, "s", "x[{\"y", NULL);
    assert_field(fixture, "i", "-12", NULL);
    assert_field(fixture, "r", "0.1", NULL);
    assert_field(fixture, "t", "true", NULL);
    assert_field(fixture, "f", "false", NULL);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (parse(fixture, "application/json", str_from(bad[i])) != FORM_E_MALFORMED) {
            fail_msg("%s was read", bad[i]);
        }
    }
}

/* Each body is 4 MiB of what a careless reader would go over again and again. */
static void hostile_bodies_take_linear_time(void **state) {
    static const struct {
        const char *type, *unit;
    } cases[] = {
        {MULTIPART, "\r\n--XX"},
        {MULTIPART, "\r\n--XX  "},
        {MULTIPART, "\r\n--XX--x"},
        {MULTIPART, "\r\n--X"},
        {"multipart/form-data; boundary=----------------------------------------", "\r\n------"},
        {URLENCODED, "&"},
        {"application/json", "["},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(buf_done) Buf body = BUF_INIT;
        uint64_t start;
        while (body.len < (size_t)4 << 20) {
            buf_add_str(&body, str_from(cases[i].unit));
        }
        start = clock_mono_ms();
        parse(fixture, cases[i].type, buf_str(&body));
        assert_in_range(clock_mono_ms() - start, 0, 3000);
    }
}

static void base64_decodes_what_clients_write(void **state) {
    static const char *const good[][2] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9vYmE=", "fooba"},
        {"Zm9vYmFy", "foobar"},
        {" Zm9v\r\n YmFy\n", "foobar"},
        {"Zm9vYmE", "fooba"},
        {"data:image/png;base64,Zm9v", "foo"},
        {"DATA:;Base64,Zm9v", "foo"},
    };
    static const char *const bad[] = {
        "Z",          "Zm9vY",       "Zm9v=", "Zg=",   "=Zg=", "Zg==Z",          "Zm-_",
        "data:,Zm9v", "data:base64", "Zg===", "Zm9vZ", "====", "data:image/png", "Zm9v\x80"};
    Fixture *fixture = *state;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    Str bytes;

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(base64_decode(str_from(good[i][0]), fixture->arena, &bytes), 0);
        assert_true(str_equal(bytes, str_from(good[i][1])));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (base64_decode(str_from(bad[i]), fixture->arena, &bytes) != -EINVAL) {
            fail_msg("%s was decoded", bad[i]);
        }
    }
    for (size_t i = 1; i < 7; i++) {
        buf_done(&text);
        base64_encode(str_from(good[i][1]), &text);
        assert_string_equal(buf_cstr(&text), good[i][0]);
    }
}

static void base64_gives_every_byte_back(void **state) {
    Fixture *fixture = *state;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    char all[256];
    Str bytes;

    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (char)i;
    }
    base64_encode((Str){all, sizeof(all)}, &text);
    assert_int_equal(base64_decode(buf_str(&text), fixture->arena, &bytes), 0);
    assert_true(str_equal(bytes, (Str){all, sizeof(all)}));
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_fixture(reads_what_browsers_and_curl_send),
        with_fixture(tolerates_odd_but_clear_bodies),
        with_fixture(reads_file_names_in_every_spelling),
        with_fixture(refuses_malformed_multipart),
        with_fixture(keeps_every_limit),
        with_fixture(blank_fields_do_not_hide_others),
        with_fixture(reads_urlencoded),
        with_fixture(reads_flat_json),
        with_fixture(hostile_bodies_take_linear_time),
        with_fixture(base64_decodes_what_clients_write),
        with_fixture(base64_gives_every_byte_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
