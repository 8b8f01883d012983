/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/test.h"

#include <errno.h>

typedef struct Sample {
    bool on;
    uint32_t count;
    uint64_t big;
    double share;
    const char *name;
    int kind;
    char code[4];
} Sample;

static const char *const kinds[] = {"cat", "dog", NULL};
static const JsonField fields[] = {
    {"on", JSON_FIELD_BOOL, offsetof(Sample, on)},
    {"count", JSON_FIELD_U32, offsetof(Sample, count), true, .min = 1, .max = 10},
    {"big", JSON_FIELD_U64, offsetof(Sample, big)},
    {"share", JSON_FIELD_DOUBLE, offsetof(Sample, share), .min = 0, .max = 1},
    {"name", JSON_FIELD_STR, offsetof(Sample, name), .max = 5},
    {"kind", JSON_FIELD_ENUM, offsetof(Sample, kind), .names = kinds},
    {"code", JSON_FIELD_CHARS, offsetof(Sample, code), .max = 3},
    {0},
};

static int read_text(const char *text, Arena *arena, Sample *sample, const char **where) {
    json_t *json = json_loads(text, 0, NULL);
    int r = json_read(json, fields, arena, sample, where);
    json_decref(json);
    return r;
}

static void reads_what_it_wrote(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Sample out = {true, 3, 1ull << 40, 0.25, "Tom", 1, "abc"}, in = {0};
    json_t *json = json_write(fields, &out);
    const char *where;

    (void)state;
    assert_int_equal(json_read(json, fields, arena, &in, &where), 0);
    json_decref(json);
    assert_true(in.on && in.count == 3 && in.big == 1ull << 40 && in.share == 0.25 && in.kind == 1);
    assert_string_equal(in.name, "Tom");
    assert_string_equal(in.code, "abc");
}

static void names_what_is_wrong(void **state) {
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"[]", "(object)"},
        {"{}", "count"},
        {"{\"count\":0}", "count"},
        {"{\"count\":11}", "count"},
        {"{\"count\":1.5}", "count"},
        {"{\"count\":\"1\"}", "count"},
        {"{\"count\":1,\"big\":-1}", "big"},
        {"{\"count\":1,\"share\":1.01}", "share"},
        {"{\"count\":1,\"name\":\"toolong\"}", "name"},
        {"{\"count\":1,\"kind\":\"cow\"}", "kind"},
        {"{\"count\":1,\"code\":\"abcd\"}", "code"},
        {"{\"count\":1,\"code\":1}", "code"},
        {"{\"count\":1,\"extra\":1}", "extra"},
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Sample sample = {0};
        const char *where = NULL;
        assert_int_equal(read_text(cases[i].text, arena, &sample, &where), -EINVAL);
        assert_string_equal(where, cases[i].where);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(names_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
