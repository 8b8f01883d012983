/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/crypto/master_key.h"
#include "base/fd.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of its own for each test, with a path in it. */
typedef struct Place {
    char folder[64], path[96], other[96];
} Place;

static int setup(void **state) {
    static Place place;

    memcpy(place.folder, "/tmp/master-key-XXXXXX", 23);
    assert_non_null(mkdtemp(place.folder));
    snprintf(place.path, sizeof(place.path), "%s/keys", place.folder);
    snprintf(place.other, sizeof(place.other), "%s/keys.new", place.folder);
    *state = &place;
    return 0;
}

static int teardown(void **state) {
    Place *place = *state;

    unlink(place->path);
    unlink(place->other);
    return rmdir(place->folder);
}

static void write_file(const char *path, const char *text, mode_t mode) {
    _cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_B "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static MasterKeys *keys_of(const Place *place, const char *text) {
    const char *error = NULL;
    MasterKeys *keys;

    write_file(place->path, text, 0600);
    assert_int_equal(master_keys_read_file(place->path, &keys, &error), 0);
    return keys;
}

static void a_made_file_is_private_and_read(void **state) {
    const Place *place = *state;
    _cleanup_(master_keys_freep) MasterKeys *keys = NULL;
    const char *error = NULL;
    struct stat status;

    assert_int_equal(master_keys_read_file(place->path, &keys, &error), -ENOENT);
    assert_int_equal(master_key_file_create(place->path), 0);
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(master_keys_read_file(place->path, &keys, &error), 0);
    assert_int_equal(master_key_file_create(place->path), MASTER_KEY_E_EXISTS);
}

static void files_that_others_can_use_are_refused(void **state) {
    static const mode_t modes[] = {0640, 0604, 0610, 0602, 0666};
    const Place *place = *state;
    const char *error;
    MasterKeys *keys;

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        error = NULL;
        write_file(place->path, "a:" KEY_A "\n", modes[i]);
        assert_int_equal(master_keys_read_file(place->path, &keys, &error), MASTER_KEY_E_REFUSED);
        assert_non_null(strstr(error, "0600"));
    }
    assert_int_equal(master_keys_read_file(place->folder, &keys, &error), MASTER_KEY_E_REFUSED);
    unlink(place->path);
    assert_int_equal(mkfifo(place->path, 0600), 0);
    assert_int_equal(master_keys_read_file(place->path, &keys, &error), MASTER_KEY_E_REFUSED);
    assert_non_null(strstr(error, "regular"));
    if (geteuid() == 0) {
        unlink(place->path);
        write_file(place->path, "a:" KEY_A "\n", 0600);
        assert_int_equal(chown(place->path, 12345, 0), 0);
        assert_int_equal(master_keys_read_file(place->path, &keys, &error), MASTER_KEY_E_REFUSED);
        assert_non_null(strstr(error, "another user"));
    }
}

static void only_well_formed_keys_are_read(void **state) {
    static const char *const wrong[] = {
        "",
        "\n# nothing\n",
        "a\n",
        "a:\n",
        ":" KEY_A,
        "A:" KEY_A,
        "a b:" KEY_A,
        "a:" KEY_A "=",
        "a:" KEY_A "A",
        "a:AAAA",
        "a:" KEY_A "\na:" KEY_B,
        "a-name-of-more-than-thirty-two-bytes:" KEY_A,
        "a:" KEY_A "\nrubbish\n",
    };
    const Place *place = *state;
    MasterKeys *keys = NULL;

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const char *error = NULL;
        write_file(place->path, wrong[i], 0600);
        assert_int_equal(master_keys_read_file(place->path, &keys, &error), MASTER_KEY_E_REFUSED);
        assert_non_null(error);
    }
    keys = keys_of(place, "# two\n\n  old-1:" KEY_A "\r\nnew-2:" KEY_B);
    assert_string_equal(master_keys_newest(keys), "new-2");
    master_keys_free(keys);
}

static void what_is_wrapped_unwraps_in_its_place_only(void **state) {
    _cleanup_(master_keys_freep) MasterKeys *keys = keys_of(*state, "a:" KEY_A);
    uint8_t key[32] = {7, 8, 9}, again[32] = {0}, wrapped[MASTER_KEY_WRAPPED_MAX];
    size_t len;
    Str text;

    assert_int_equal(master_keys_wrap(keys, key, str_lit("user 1"), wrapped, &len), 0);
    text = (Str){(const char *)wrapped, len};
    assert_int_equal(master_keys_unwrap(keys, text, str_lit("user 1"), again), 0);
    assert_memory_equal(key, again, 32);
    assert_int_equal(master_keys_unwrap(keys, text, str_lit("user 2"), again), MASTER_KEY_E_FORGED);
    for (size_t i = 0; i < len; i++) {
        wrapped[i] ^= 4;
        assert_true(master_keys_unwrap(keys, text, str_lit("user 1"), again) > 0);
        wrapped[i] ^= 4;
        assert_int_equal(master_keys_unwrap(keys, (Str){text.ptr, i}, str_lit("user 1"), again),
                         MASTER_KEY_E_FORGED);
    }
}

static void rotation_goes_on_with_old_keys_until_all_is_rewrapped(void **state) {
    Place *place = *state;
    _cleanup_(master_keys_freep) MasterKeys *before = NULL, *both = NULL, *after = NULL;
    uint8_t key[32] = {7}, again[32], wrapped[MASTER_KEY_WRAPPED_MAX];
    uint8_t rewrapped[MASTER_KEY_WRAPPED_MAX];
    const char *error = NULL;
    size_t len, relen;
    char line[128];
    FILE *file;
    Str old;

    assert_int_equal(master_key_file_create(place->path), 0);
    assert_int_equal(master_keys_read_file(place->path, &before, &error), 0);
    assert_int_equal(master_keys_wrap(before, key, str_lit("u"), wrapped, &len), 0);
    old = (Str){(const char *)wrapped, len};
    assert_true(master_keys_is_current(before, old));

    assert_int_equal(master_key_file_add(place->path, &error), 0);
    assert_int_equal(master_keys_read_file(place->path, &both, &error), 0);
    assert_string_not_equal(master_keys_newest(both), master_keys_newest(before));
    assert_int_equal(master_keys_unwrap(both, old, str_lit("u"), again), 0);
    assert_false(master_keys_is_current(both, old));
    assert_int_equal(master_keys_rewrap(both, old, str_lit("u"), rewrapped, &relen), 0);
    assert_true(master_keys_is_current(both, (Str){(const char *)rewrapped, relen}));

    /* The old key, which is the first line, is taken out. */
    file = fopen(place->path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    after = keys_of(place, line);
    assert_int_equal(master_keys_unwrap(after, old, str_lit("u"), again), MASTER_KEY_E_UNKNOWN);
    memset(again, 0, sizeof(again));
    assert_int_equal(
        master_keys_unwrap(after, (Str){(const char *)rewrapped, relen}, str_lit("u"), again), 0);
    assert_memory_equal(key, again, 32);
}

static void adding_keeps_a_file_that_is_wrong(void **state) {
    const Place *place = *state;
    const char *error = NULL;

    write_file(place->path, "rubbish\n", 0600);
    assert_int_equal(master_key_file_add(place->path, &error), MASTER_KEY_E_REFUSED);
    write_file(place->path, "a:" KEY_A, 0600); /* no line end */
    write_file(place->other, "left by one that was killed", 0600);
    assert_int_equal(master_key_file_add(place->path, &error), 0);
    assert_int_equal(access(place->other, F_OK), -1);
}

static void keys_for_purposes_differ_and_stay(void **state) {
    _cleanup_(master_keys_freep) MasterKeys *keys = keys_of(*state, "a:" KEY_A "\nb:" KEY_B);
    uint8_t mail[32], again[32], names[32], other[32];

    assert_int_equal(master_keys_derive(keys, str_lit("a"), str_lit("mail"), mail), 0);
    assert_int_equal(master_keys_derive(keys, str_lit("a"), str_lit("mail"), again), 0);
    assert_int_equal(master_keys_derive(keys, str_lit("a"), str_lit("names"), names), 0);
    assert_int_equal(master_keys_derive(keys, str_lit("b"), str_lit("mail"), other), 0);
    assert_memory_equal(mail, again, 32);
    assert_memory_not_equal(mail, names, 32);
    assert_memory_not_equal(mail, other, 32);
    assert_int_equal(master_keys_derive(keys, str_lit("c"), str_lit("mail"), mail),
                     MASTER_KEY_E_UNKNOWN);
}

static int from_command(const char *script, uint32_t timeout_ms, MasterKeys **ret_keys,
                        const char **reterr) {
    return master_keys_read_command((const char *const[]){"sh", "-c", script, NULL}, timeout_ms,
                                    ret_keys, reterr);
}

static void a_command_prints_keys(void **state) {
    _cleanup_(master_keys_freep) MasterKeys *keys = NULL, *none = NULL;
    const char *error = NULL, *missing[] = {"/nowhere/kms", NULL};

    (void)state;
    assert_int_equal(from_command("cat; echo a:" KEY_A "; echo b:" KEY_B, 20000, &keys, &error), 0);
    assert_string_equal(master_keys_newest(keys), "b");
    setenv("IMAGESYNC_CACHE", "redis://u:s3cret@h", 1); /* is none of its business */
    keys = master_keys_free(keys);
    assert_int_equal(
        from_command("test -z \"$IMAGESYNC_CACHE\" && test -n \"$PATH\" && echo a:" KEY_A, 20000,
                     &keys, &error),
        0);
    unsetenv("IMAGESYNC_CACHE");
    assert_int_equal(from_command("echo a:" KEY_A "; exit 3", 20000, &none, &error),
                     MASTER_KEY_E_REFUSED);
    assert_non_null(strstr(error, "failed"));
    assert_int_equal(from_command("echo a:" KEY_A "; kill -9 $$", 20000, &none, &error),
                     MASTER_KEY_E_REFUSED);
    assert_int_equal(from_command("echo sorry", 20000, &none, &error), MASTER_KEY_E_REFUSED);
    assert_int_equal(master_keys_read_command(missing, 20000, &none, &error), -ENOENT);
    assert_null(none);
}

static void a_command_is_bounded_in_time_and_size(void **state) {
    uint64_t start = clock_mono_ms();
    MasterKeys *none = NULL;
    const char *error = NULL;

    (void)state;
    /* A child of its own holds the output open, and must be ended with it. */
    assert_int_equal(from_command("sleep 300 & sleep 300", 100, &none, &error),
                     MASTER_KEY_E_REFUSED);
    assert_non_null(strstr(error, "in time"));
    assert_int_equal(from_command("echo a:" KEY_A "; exec >&-; sleep 300", 100, &none, &error),
                     MASTER_KEY_E_REFUSED);
    assert_non_null(strstr(error, "in time"));
    assert_int_equal(from_command("while :; do echo '# more and more'; done", 60000, &none, &error),
                     MASTER_KEY_E_REFUSED);
    assert_non_null(strstr(error, "16 KiB"));
    assert_true(clock_mono_ms() - start < 60000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_made_file_is_private_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_others_can_use_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(only_well_formed_keys_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrapped_unwraps_in_its_place_only, setup, teardown),
        cmocka_unit_test_setup_teardown(rotation_goes_on_with_old_keys_until_all_is_rewrapped,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(adding_keeps_a_file_that_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_for_purposes_differ_and_stay, setup, teardown),
        cmocka_unit_test(a_command_prints_keys),
        cmocka_unit_test(a_command_is_bounded_in_time_and_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
