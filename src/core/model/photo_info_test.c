/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "core/contracts/worker.h"

#include <errno.h>
#include <math.h>

static const PhotoInfo full = {
    .taken = "2026-05-17T14:03:09.120",
    .has_taken_offset = true,
    .taken_offset_min = -210,
    .make = "Canon",
    .model = "L\xc3\xa4nge",
    .lens = "35mm",
    .exposure_s = 0.008,
    .f_number = 1.8,
    .focal_length_mm = 35,
    .iso = 100,
    .orientation = 6,
    .has_place = true,
    .latitude = -33.9,
    .longitude = 151.2,
    .has_altitude = true,
    .altitude_m = -12.5,
    .content_id = "0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9",
};

static ChildMessage message_of(const PhotoInfo *photo) {
    ChildFile file = {.len = 9, .format = OUTPUT_FORMAT_JPEG, .width = 2, .height = 1};

    return (ChildMessage){.op = CHILD_INGESTED,
                          .id = 7,
                          .info = {.width = 4, .height = 2, .pages = 1, .memory = 1},
                          .photo = *photo,
                          .hash_high = 0xfedcba98,
                          .hash_low = 0x76543210,
                          .mezzanine = file,
                          .thumbnail = file};
}

/* From the worker to the pool and back to the same. */
static int send(const ChildMessage *message, ChildMessage *ret_message) {
    _cleanup_(json_decrefp) json_t *json = child_message_write(message);
    Arena *arena = arena_new();
    int r = child_message_read(json, arena, ret_message);

    arena_free(arena);
    return r;
}

static void survives_the_way_between_processes(void **state) {
    static const PhotoInfo empty = PHOTO_INFO_INIT;
    const PhotoInfo *const photos[] = {&full, &empty};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(photos); i++) {
        ChildMessage out = message_of(photos[i]), in;
        assert_true(photo_info_valid(photos[i]));
        assert_int_equal(send(&out, &in), 0);
        assert_memory_equal(&in.photo, photos[i], sizeof(PhotoInfo));
        assert_true(in.hash_high == 0xfedcba98 && in.hash_low == 0x76543210);
        assert_int_equal(in.thumbnail.len, 9);
    }
}

/* A worker that has been taken over says what it likes. */
static void what_makes_no_sense_is_not_let_in(void **state) {
    PhotoInfo bad[12];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        bad[i] = full;
    }
    memcpy(bad[0].make, "a\x1b[2J", 6);
    memcpy(bad[1].model, " a", 3);
    memcpy(bad[2].lens, "\xe2\x80\xae", 4);
    memcpy(bad[3].taken, "2026-19-17T14:03:09", 20);
    memcpy(bad[4].taken, "yesterday", 10);
    bad[5].taken[0] = '\0'; /* of which nothing can have an offset */
    bad[6].taken_offset_min = 841;
    bad[7].orientation = 9;
    bad[8].latitude = 90.5;
    bad[9].has_place = false; /* but an altitude */
    bad[10].iso = 100000001;
    bad[11].exposure_s = -1;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ChildMessage out = message_of(&bad[i]), in;
        assert_false(photo_info_valid(&bad[i]));
        if (send(&out, &in) != -EBADMSG) {
            fail_msg("case %zu was let in", i);
        }
    }
    bad[0] = full;
    bad[0].longitude = NAN;
    assert_false(photo_info_valid(&bad[0]));
    bad[0] = full;
    memset(bad[0].make, 'a', sizeof(bad[0].make)); /* without an end */
    assert_false(photo_info_valid(&bad[0]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_the_way_between_processes),
        cmocka_unit_test(what_makes_no_sense_is_not_let_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
