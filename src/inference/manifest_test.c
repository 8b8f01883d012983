/* SPDX-License-Identifier: Apache-2.0 */
#include "inference/model.h"

#include "base/test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD  "{\"name\":\"m\",\"title\":\"M\",\"licence\":\"MIT\",\"precision\":\"int8\","
#define INPUT "\"input\":{\"width\":8,\"height\":4,\"mean\":[1,2,3],\"scale\":[4,5,6]},"
#define FILE_ "\"file\":\"model.xml\","
#define OUT   "\"output\":{\"index\":0,\"range\":\"sigmoid\"}"

/* sha256 of "weights" */
#define SUM "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"

static char folder[] = "/tmp/manifest_test.XXXXXX";

static void write_file(const char *name, const char *text) {
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/m/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int load(Arena *arena, const char *name, ModelManifest *manifest, const char **where) {
    return model_manifest_load(folder, name, arena, manifest, where);
}

static void reads_what_it_needs_and_leaves_the_rest(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    ModelManifest manifest;
    const char *where;

    (void)state;
    write_file("manifest.json", HEAD FILE_ INPUT "\"quality\":{\"x\":1}," OUT "}");
    assert_int_equal(load(arena, "m", &manifest, &where), 0);
    assert_string_equal(manifest.file, "model.xml");
    assert_string_equal(manifest.precision, "int8");
    assert_int_equal(manifest.width, 8);
    assert_int_equal(manifest.height, 4);
    assert_true(manifest.mean[1] == 2 && manifest.scale[2] == 6);
    assert_int_equal(manifest.range, MODEL_RANGE_SIGMOID);
}

static void names_what_is_wrong(void **state) {
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"[]", "(object)"},
        {HEAD INPUT OUT "}", "file"},
        {HEAD "\"file\":\"../../etc/passwd\"," INPUT OUT "}", "file"},
        {HEAD FILE_ OUT "}", "width"},
        {HEAD FILE_ "\"input\":{\"width\":8,\"height\":0,\"mean\":[1,2,3],\"scale\":[4,5,6]}," OUT
                    "}",
         "height"},
        {HEAD FILE_ "\"input\":{\"width\":8,\"height\":4,\"mean\":[1,2],\"scale\":[4,5,6]}," OUT
                    "}",
         "mean"},
        {HEAD FILE_ "\"input\":{\"width\":8,\"height\":4,\"mean\":[1,2,3],\"scale\":[4,0,6]}," OUT
                    "}",
         "scale"},
        {HEAD FILE_ INPUT "\"output\":{\"index\":0,\"range\":\"other\"}}", "range"},
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    ModelManifest manifest;
    const char *where;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        write_file("manifest.json", cases[i].text);
        assert_int_equal(load(arena, "m", &manifest, &where), -EINVAL);
        assert_string_equal(where, cases[i].where);
    }
}

static void refuses_names_that_are_paths(void **state) {
    static const char *const names[] = {"../m", "", ".", "..", "m/", "a b", "none"};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    ModelManifest manifest;
    const char *where;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(load(arena, names[i], &manifest, &where), -ENOENT);
    }
}

static void verifies_files_against_their_checksums(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    ModelManifest manifest;
    const char *where;

    (void)state;
    write_file("manifest.json", HEAD FILE_ INPUT OUT "}");
    assert_int_equal(load(arena, "m", &manifest, &where), 0);
    assert_int_equal(model_manifest_verify(&manifest, &where), -EBADMSG);
    write_file("manifest.json", HEAD FILE_ INPUT OUT ",\"sha256\":{\"model.xml\":\"" SUM "\"}}");
    write_file("model.xml", "weights");
    assert_int_equal(model_manifest_verify(&manifest, &where), 0);
    write_file("model.xml", "Weights");
    assert_int_equal(model_manifest_verify(&manifest, &where), -EBADMSG);
    assert_string_equal(where, "model.xml");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_needs_and_leaves_the_rest),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(refuses_names_that_are_paths),
        cmocka_unit_test(verifies_files_against_their_checksums),
    };
    char command[128];
    int failed;

    if (!mkdtemp(folder)) {
        return 1;
    }
    snprintf(command, sizeof(command), "%s/m", folder);
    mkdir(command, 0700);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command) + failed;
}
