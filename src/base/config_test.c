/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"
#include "base/fd.h"
#include "base/test.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

typedef struct Settings {
    const char *listen;
    const char *api_keys;
    uint64_t upload_max;
    uint64_t jobs;
    bool colour;
} Settings;

static const ConfigField server_fields[] = {
    {"listen", CONFIG_STR, offsetof(Settings, listen), "127.0.0.1:8080", 3, 40, NULL, "where"},
    {"api-keys", CONFIG_SECRET, offsetof(Settings, api_keys), "", .max = 100, .help = "who"},
    {"upload-max", CONFIG_U64, offsetof(Settings, upload_max), "22", 1, 1024, "MiB", "how big"},
    {NULL},
};
static const ConfigField work_fields[] = {
    {"jobs", CONFIG_U64, offsetof(Settings, jobs), "2", 1, 64, NULL, "how many"},
    {"colour", CONFIG_BOOL, offsetof(Settings, colour), "no", .help = "how nice"},
    {NULL},
};

typedef struct Fixture {
    Settings settings;
    ConfigGroup groups[2];
    Config *config;
    char path[64];
} Fixture;

static int set_up(void **state) {
    Fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->groups[0] = (ConfigGroup){"Server", server_fields, &fixture->settings};
    fixture->groups[1] = (ConfigGroup){"Work", work_fields, &fixture->settings};
    fixture->config = config_new(fixture->groups, 2);
    snprintf(fixture->path, sizeof(fixture->path), "/tmp/config_test.XXXXXX");
    assert_int_equal(config_load_defaults(fixture->config), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    Fixture *fixture = *state;

    unlink(fixture->path);
    config_free(fixture->config);
    free(fixture);
    return 0;
}

static int load_text(Fixture *fixture, const char *text) {
    _cleanup_(fd_closep) int fd = mkstemp(fixture->path);

    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    return config_load_file(fixture->config, fixture->path);
}

static void assert_error(Fixture *fixture, const char *part) {
    const char *error = config_error(fixture->config);
    if (!strstr(error, part)) {
        fail_msg("\"%s\" does not say \"%s\"", error, part);
    }
}

static void later_sources_win(void **state) {
    Fixture *fixture = *state;

    assert_string_equal(fixture->settings.listen, "127.0.0.1:8080");
    assert_int_equal(load_text(fixture, "# a comment\r\n\n  jobs=3 \nlisten = a=#b\nupload-max = 5 "
                                        "MiB\ncolour = On"),
                     0);
    assert_string_equal(fixture->settings.listen, "a=#b");
    assert_int_equal(fixture->settings.upload_max, 5);
    assert_true(fixture->settings.colour);
    setenv("IMAGESYNC_JOBS", "4", 1);
    setenv("IMAGESYNC_UPLOAD_MAX", "7", 1);
    assert_int_equal(config_load_environment(fixture->config), 0);
    unsetenv("IMAGESYNC_JOBS");
    unsetenv("IMAGESYNC_UPLOAD_MAX");
    assert_int_equal(config_set(fixture->config, "jobs", "5", "--jobs"), 0);
    assert_int_equal(fixture->settings.jobs, 5);
    assert_int_equal(fixture->settings.upload_max, 7);
}

static void says_where_and_what_is_wrong(void **state) {
    Fixture *fixture = *state;

    assert_int_equal(load_text(fixture, "\njobs = 65\n"), -EINVAL);
    assert_error(fixture, fixture->path);
    assert_error(fixture, ":2: \"jobs\" must be a whole number from 1 to 64, not \"65\".");
    assert_int_equal(config_set(fixture->config, "upload-max", "-1", "--upload-max"), -EINVAL);
    assert_error(fixture, "--upload-max: \"upload-max\" must be a whole number from 1 to 1024 MiB");
    assert_int_equal(config_set(fixture->config, "upload-max", "5 GiB", "--upload-max"), -EINVAL);
    assert_int_equal(config_set(fixture->config, "colour", "maybe", "--colour"), -EINVAL);
    assert_error(fixture, "must be yes or no, not \"maybe\"");
    assert_int_equal(config_set(fixture->config, "listen", "x", "--listen"), -EINVAL);
    assert_error(fixture, "3 to 40 characters");
    assert_int_equal(fixture->settings.jobs, 2);
    assert_int_equal(fixture->settings.upload_max, 22);
}

static void suggests_the_nearest_name(void **state) {
    Fixture *fixture = *state;

    setenv("IMAGESYNC_API_KEY", "s3cret", 1);
    assert_int_equal(config_load_environment(fixture->config), -EINVAL);
    unsetenv("IMAGESYNC_API_KEY");
    assert_error(fixture, "IMAGESYNC_API_KEY: there is no setting \"api-key\"; did you mean "
                          "\"api-keys\"?");
    assert_null(strstr(config_error(fixture->config), "s3cret"));
    assert_int_equal(config_set(fixture->config, "frobnicate", "1", "--frobnicate"), -EINVAL);
    assert_error(fixture, "there is no setting \"frobnicate\"; `imagesync config`");
    assert_string_equal(config_nearest(fixture->config, "lsiten"), "listen");
    assert_null(config_nearest(fixture->config, "x"));
}

static void secrets_are_never_shown(void **state) {
    Fixture *fixture = *state;
    _cleanup_(buf_done) Buf out = BUF_INIT;
    char longer[200] = "s3cret";

    memset(longer + 6, 'x', sizeof(longer) - 7);
    assert_int_equal(config_set(fixture->config, "api-keys", longer, "--api-keys"), -EINVAL);
    assert_null(strstr(config_error(fixture->config), "s3cret"));
    assert_int_equal(load_text(fixture, "api-keys s3cret\n"), -EINVAL);
    assert_error(fixture, ":1: expected a line of the form");
    assert_null(strstr(config_error(fixture->config), "s3cret"));
    assert_int_equal(
        config_set(fixture->config, "listen", "smtp://me:s3/c@ret@host:25", "--listen"), 0);
    config_print(fixture->config, &out);
    assert_non_null(strstr(buf_cstr(&out), " smtp://(hidden)@host:25 "));
    assert_non_null(strstr(buf_cstr(&out), "(not set)"));
    buf_done(&out);
    assert_int_equal(config_set(fixture->config, "api-keys", "s3cret", "--api-keys"), 0);
    assert_string_equal(fixture->settings.api_keys, "s3cret");
    config_print(fixture->config, &out);
    assert_null(strstr(buf_cstr(&out), "s3cret"));
    assert_non_null(strstr(buf_cstr(&out), "(set)"));
}

static void prints_values_with_their_source(void **state) {
    Fixture *fixture = *state;
    _cleanup_(buf_done) Buf out = BUF_INIT;

    assert_int_equal(config_set(fixture->config, "jobs", "9", "--jobs"), 0);
    config_print(fixture->config, &out);
    assert_string_equal(buf_cstr(&out), "Server\n"
                                        "  listen      127.0.0.1:8080  default  where\n"
                                        "  api-keys    (not set)       default  who\n"
                                        "  upload-max  22 MiB          default  how big\n"
                                        "\n"
                                        "Work\n"
                                        "  jobs        9               --jobs   how many\n"
                                        "  colour      no              default  how nice\n");
}

static void a_missing_file_is_named(void **state) {
    Fixture *fixture = *state;

    assert_int_equal(config_load_file(fixture->config, "/nowhere/imagesync.conf"), -EINVAL);
    assert_error(fixture, "/nowhere/imagesync.conf cannot be read: No such file or directory.");
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_fixture(later_sources_win),
        with_fixture(says_where_and_what_is_wrong),
        with_fixture(suggests_the_nearest_name),
        with_fixture(secrets_are_never_shown),
        with_fixture(prints_values_with_their_source),
        with_fixture(a_missing_file_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
