/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/test.h"
#include "base/uuid.h"

#include <errno.h>
#include <pthread.h>

#define PER_THREAD 20000

/* RFC 9562, appendix A.6. */
static void the_rfcs_example_is_read_and_written(void **state) {
    const char *text = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    char again[UUID_TEXT_SIZE];
    Uuid uuid;

    (void)state;
    assert_int_equal(uuid_parse(str_lit("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &uuid), 0);
    assert_true(uuid_unix_ms(&uuid) == 0x017F22E279B0);
    uuid_text(&uuid, again);
    assert_string_equal(again, text);
}

static void other_forms_are_refused(void **state) {
    static const char *const wrong[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e279b07cc398c4dc0c0c07398f0000",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e2+79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-4cc3-98c4-dc0c0c07398f", /* version 4 */
        "017f22e2-79b0-7cc3-18c4-dc0c0c07398f", /* another variant */
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
    };
    Uuid uuid;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(uuid_parse(str_from(wrong[i]), &uuid), -EINVAL);
    }
}

static void new_ones_are_version_7_of_now_and_parse(void **state) {
    int64_t before = clock_unix_s();
    Uuid uuid = uuid_new(), again;
    char text[UUID_TEXT_SIZE];
    int64_t made = (int64_t)(uuid_unix_ms(&uuid) / 1000);

    (void)state;
    assert_true(made >= before && made <= clock_unix_s());
    uuid_text(&uuid, text);
    assert_int_equal(uuid_parse(str_from(text), &again), 0);
    assert_true(uuid_equal(&uuid, &again));
}

static void *make_many(void *argument) {
    Uuid *uuids = argument;

    for (size_t i = 0; i < PER_THREAD; i++) {
        uuids[i] = uuid_new();
    }
    return NULL;
}

static int compare(const void *a, const void *b) {
    return memcmp(a, b, sizeof(Uuid));
}

static void threads_get_rising_and_different_ones(void **state) {
    Uuid *uuids = calloc((size_t)4 * PER_THREAD, sizeof(*uuids));
    pthread_t threads[4];

    (void)state;
    assert_non_null(uuids);
    for (size_t t = 0; t < 4; t++) {
        assert_int_equal(pthread_create(&threads[t], NULL, make_many, uuids + t * PER_THREAD), 0);
    }
    for (size_t t = 0; t < 4; t++) {
        pthread_join(threads[t], NULL);
        for (size_t i = 1; i < PER_THREAD; i++) {
            assert_true(compare(&uuids[t * PER_THREAD + i - 1], &uuids[t * PER_THREAD + i]) < 0);
        }
    }
    qsort(uuids, (size_t)4 * PER_THREAD, sizeof(*uuids), compare);
    for (size_t i = 1; i < (size_t)4 * PER_THREAD; i++) {
        /* The ticks alone, without the random half, tell them apart. */
        assert_int_not_equal(memcmp(&uuids[i - 1], &uuids[i], 8), 0);
    }
    free(uuids);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_example_is_read_and_written),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(new_ones_are_version_7_of_now_and_parse),
        cmocka_unit_test(threads_get_rising_and_different_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
