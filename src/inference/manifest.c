/* SPDX-License-Identifier: Apache-2.0 */
#include "inference/model.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/contracts/worker.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#define MANIFEST_MAX 65536
#define HASH_LEN     32

static const char *const range_names[] = {"unit", "sigmoid", "minmax", NULL};

#define AT(member) offsetof(ModelManifest, member)

static const JsonField manifest_fields[] = {
    {"name", JSON_FIELD_STR, AT(name), true, .max = MODEL_NAME_MAX},
    {"title", JSON_FIELD_STR, AT(title), true},
    {"licence", JSON_FIELD_STR, AT(licence), true},
    {"precision", JSON_FIELD_STR, AT(precision), true, .max = 32},
    {"file", JSON_FIELD_STR, AT(file), true, .max = 255},
    {0},
};

static const JsonField input_fields[] = {
    {"width", JSON_FIELD_U32, AT(width), true, .min = 1, .max = TENSOR_SIDE_MAX},
    {"height", JSON_FIELD_U32, AT(height), true, .min = 1, .max = TENSOR_SIDE_MAX},
    {0},
};

static const JsonField output_fields[] = {
    {"index", JSON_FIELD_U32, AT(output), true, .max = 64},
    {"range", JSON_FIELD_ENUM, AT(range), true, .names = range_names},
    {0},
};

/* Reads what the table names and leaves alone what later versions of the preparation add. */
static int read_known(const json_t *object, const JsonField *fields, Arena *arena,
                      ModelManifest *manifest, const char **reterr_where) {
    _cleanup_(json_decrefp) json_t *known = json_object();

    for (const JsonField *field = fields; field->name; field++) {
        json_t *value = json_object_get(object, field->name);
        if (value) {
            json_object_set(known, field->name, value);
        }
    }
    return json_read(known, fields, arena, manifest, reterr_where);
}

static int read_triple(const json_t *array, float ret_values[3]) {
    if (json_array_size(array) != 3) {
        return -EINVAL;
    }
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_array_get(array, i);
        if (!json_is_number(value)) {
            return -EINVAL;
        }
        ret_values[i] = (float)json_number_value(value);
    }
    return 0;
}

static int read_input(const json_t *input, Arena *arena, ModelManifest *manifest,
                      const char **reterr_where) {
    int r = read_known(input, input_fields, arena, manifest, reterr_where);

    if (r < 0) {
        return r;
    }
    if (read_triple(json_object_get(input, "mean"), manifest->mean) < 0) {
        *reterr_where = "mean";
        return -EINVAL;
    }
    if (read_triple(json_object_get(input, "scale"), manifest->scale) < 0 ||
        manifest->scale[0] == 0 || manifest->scale[1] == 0 || manifest->scale[2] == 0) {
        *reterr_where = "scale";
        return -EINVAL;
    }
    return 0;
}

static int read_file(const char *path, Buf *text) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return err_errno();
    }
    return fd_read_to_end(fd, MANIFEST_MAX, text);
}

int model_manifest_load(const char *models_dir, const char *name, Arena *arena,
                        ModelManifest *ret_manifest, const char **reterr_where) {
    _cleanup_(buf_done) Buf text = BUF_INIT;
    _cleanup_(json_decrefp) json_t *json = NULL;
    ModelManifest manifest = {0};
    int r;

    *reterr_where = "name";
    if (!model_name_valid(name)) {
        return -ENOENT;
    }
    manifest.directory = arena_printf(arena, "%s/%s", models_dir, name);
    r = read_file(arena_printf(arena, "%s/manifest.json", manifest.directory), &text);
    if (r < 0) {
        *reterr_where = "manifest.json";
        return r == -ENOTDIR ? -ENOENT : r;
    }
    *reterr_where = "(object)";
    json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json)) {
        return -EINVAL;
    }
    if (read_known(json, manifest_fields, arena, &manifest, reterr_where) < 0 ||
        read_input(json_object_get(json, "input"), arena, &manifest, reterr_where) < 0 ||
        read_known(json_object_get(json, "output"), output_fields, arena, &manifest, reterr_where) <
            0) {
        return -EINVAL;
    }
    if (strcmp(manifest.name, name) != 0) {
        *reterr_where = "name";
        return -EINVAL;
    }
    /* Never a path: a manifest may name only what lies beside it. */
    if (!model_name_valid(manifest.file)) {
        *reterr_where = "file";
        return -EINVAL;
    }
    *ret_manifest = manifest;
    return 0;
}

static int hash_file(const char *path, char ret_hex[HASH_LEN * 2 + 1]) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_(freep) unsigned char *bytes = malloc(1 << 20);
    unsigned char hash[HASH_LEN];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ssize_t n = -1;

    if (fd >= 0 && bytes && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1) {
        while ((n = read(fd, bytes, 1 << 20)) > 0) {
            EVP_DigestUpdate(context, bytes, (size_t)n);
        }
    }
    if (n < 0 || EVP_DigestFinal_ex(context, hash, NULL) != 1) {
        EVP_MD_CTX_free(context);
        return -EIO;
    }
    EVP_MD_CTX_free(context);
    for (size_t i = 0; i < HASH_LEN; i++) {
        snprintf(ret_hex + i * 2, 3, "%02x", hash[i]);
    }
    return 0;
}

int model_manifest_verify(const ModelManifest *manifest, const char **reterr_where) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(buf_done) Buf text = BUF_INIT;
    _cleanup_(json_decrefp) json_t *json = NULL;
    json_t *sums, *sum;
    const char *file;
    char hex[HASH_LEN * 2 + 1];

    *reterr_where = "manifest.json";
    if (read_file(arena_printf(arena, "%s/manifest.json", manifest->directory), &text) < 0) {
        return -EBADMSG;
    }
    json = json_loadb(text.data, text.len, 0, NULL);
    sums = json_object_get(json, "sha256");
    /* A manifest that vouches for nothing would verify anything. */
    if (!json_object_get(sums, manifest->file)) {
        return -EBADMSG;
    }
    json_object_foreach(sums, file, sum) {
        bool ok = model_name_valid(file) && json_is_string(sum) &&
                  hash_file(arena_printf(arena, "%s/%s", manifest->directory, file), hex) == 0 &&
                  strcasecmp(hex, json_string_value(sum)) == 0;
        if (!ok) {
            /* Points into the caller's world, not into this function's JSON. */
            *reterr_where = strcmp(file, manifest->file) == 0 ? manifest->file : "model.bin";
            return -EBADMSG;
        }
    }
    return 0;
}
