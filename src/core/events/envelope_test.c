/* SPDX-License-Identifier: Apache-2.0 */
#include "core/events/envelope.h"

#include "base/test.h"

#include <jansson.h>
#include <stdlib.h>

static Event event_of(Str sealed) {
    Event event = {.topic = "library",
                   .seq = 9007199254740993, /* more than a double holds */
                   .kind = "photo",
                   .version = 3,
                   .at_us = 1767225600123999,
                   .facts = "",
                   .sealed = sealed};

    assert_int_equal(uuid_parse(str_lit("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), &event.user_id),
                     0);
    assert_int_equal(uuid_parse(str_lit("017f22e2-79b0-7cc3-98c4-dc0c0c073990"), &event.object_id),
                     0);
    return event;
}

static void expect(const Event *event, size_t size_max, const char *text) {
    _cleanup_(buf_done) Buf out = BUF_INIT;

    event_envelope_write(event, size_max, &out);
    assert_string_equal(buf_cstr(&out), text);
}

#define HEAD                                                                                       \
    "{\"topic\":\"library\",\"user\":\"017f22e2-79b0-7cc3-98c4-dc0c0c07398f\","                    \
    "\"seq\":9007199254740993,\"kind\":\"photo\","                                                 \
    "\"object\":\"017f22e2-79b0-7cc3-98c4-dc0c0c073990\",\"version\":3,\"removed\":"
#define AT ",\"at\":1767225600123"

static void all_members_are_written(void **state) {
    Event event = event_of(str_lit("\xff\x00 "));

    (void)state;
    event.device_id = event.user_id;
    event.facts = "{\"bytes\": 12, \"name\": \"\xc3\xa4\\n\"}";
    expect(&event, 10000,
           HEAD "false" AT ",\"device\":\"017f22e2-79b0-7cc3-98c4-dc0c0c07398f\","
                "\"facts\":{\"bytes\":12,\"name\":\"\\u00E4\\n\"},\"sealed\":\"/wAg\"}");
}

static void what_is_not_there_is_left_out(void **state) {
    Event event = event_of(str_lit(""));

    (void)state;
    event.removed = true;
    expect(&event, 10000, HEAD "true" AT "}");
}

static void facts_that_are_no_object_are_left_out(void **state) {
    static const char *const wrong[] = {"[1]", "{", "1", "{}}", "{\"a\":1,\"a\":2}", "\xff"};
    Event event = event_of(str_lit(""));

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        event.facts = wrong[i];
        expect(&event, 10000, HEAD "false" AT "}");
    }
}

static void all_lengths_are_as_in_rfc_4648(void **state) {
    static const char *const tests[][2] = {{"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        Event event = event_of(str_from(tests[i][0]));
        _cleanup_(buf_done) Buf wanted = BUF_INIT;
        buf_addf(&wanted, HEAD "false" AT ",\"sealed\":\"%s\"}", tests[i][1]);
        expect(&event, 10000, buf_cstr(&wanted));
    }
}

static void what_is_too_long_says_so(void **state) {
    _cleanup_(freep) char *bytes = calloc(1, EVENT_SEALED_MAX);
    Event event = event_of((Str){bytes, EVENT_SEALED_MAX});

    (void)state;
    expect(&event, 900000, HEAD "false" AT ",\"omitted\":true}");
    /* And never a byte more than was said. */
    for (size_t len = 600; len < 700; len++) {
        _cleanup_(buf_done) Buf out = BUF_INIT;
        buf_addf(&out, "before");
        event.sealed.len = len;
        event_envelope_write(&event, 1100, &out);
        assert_true(out.len <= 1100 + strlen("before"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members_are_written),
        cmocka_unit_test(what_is_not_there_is_left_out),
        cmocka_unit_test(facts_that_are_no_object_are_left_out),
        cmocka_unit_test(all_lengths_are_as_in_rfc_4648),
        cmocka_unit_test(what_is_too_long_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
