/* SPDX-License-Identifier: Apache-2.0 */
#include "app/models_command.h"

#include "app/model_try.h"
#include "base/error.h"
#include "inference/model.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const CliOption models_list_options[] = {
    {"json", 0, CLI_FLAG, offsetof(ModelsListOptions, json), .help = "Print a JSON array."},
    {0},
};

/* Names of what may be models, sorted; the count, or -1. Freed with free(), each and all. */
static int find_names(const char *models_dir, struct dirent ***ret_entries) {
    return scandir(models_dir, ret_entries, NULL, alphasort);
}

static uint64_t folder_size(const char *folder, Arena *arena) {
    DIR *open_folder = opendir(folder);
    const struct dirent *entry;
    uint64_t size = 0;

    while (open_folder && (entry = readdir(open_folder))) {
        struct stat status;
        if (stat(arena_printf(arena, "%s/%s", folder, entry->d_name), &status) == 0 &&
            S_ISREG(status.st_mode)) {
            size += (uint64_t)status.st_size;
        }
    }
    if (open_folder) {
        closedir(open_folder);
    }
    return size;
}

/* What the preparation measured, which only people read. */
static json_t *load_quality(const ModelManifest *manifest, Arena *arena) {
    _cleanup_(json_decrefp) json_t *json = json_load_file(
        arena_printf(arena, "%s/manifest.json", manifest->directory), JSON_REJECT_DUPLICATES, NULL);

    return json_incref(json_object_get(json, "quality"));
}

static json_t *describe(const ModelManifest *manifest, bool is_default, Arena *arena) {
    json_t *object =
        json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:I,s:b}", "name", manifest->name, "title",
                  manifest->title, "licence", manifest->licence, "precision", manifest->precision,
                  "width", (int)manifest->width, "height", (int)manifest->height, "bytes",
                  (json_int_t)folder_size(manifest->directory, arena), "default", (int)is_default);
    json_t *quality = load_quality(manifest, arena);

    if (object && quality) {
        json_object_set_new(object, "quality", quality);
    } else {
        json_decref(quality);
    }
    return object;
}

static void print_row(const json_t *model) {
    const json_t *quality = json_object_get(model, "quality");
    const json_t *iou = json_object_get(quality, "mean_iou");
    char text[32] = "-";

    if (json_is_number(iou)) {
        snprintf(text, sizeof(text), "IoU %.3f", json_number_value(iou));
    }
    printf("%c %-24s %-9s %7.1f MB  %4dx%-4d  %-12s %s\n",
           json_is_true(json_object_get(model, "default")) ? '*' : ' ',
           json_string_value(json_object_get(model, "name")),
           json_string_value(json_object_get(model, "precision")),
           (double)json_integer_value(json_object_get(model, "bytes")) / 1e6,
           (int)json_integer_value(json_object_get(model, "width")),
           (int)json_integer_value(json_object_get(model, "height")),
           json_string_value(json_object_get(model, "licence")), text);
}

static void print_models(json_t *models, bool as_json, const Settings *settings) {
    size_t at;
    json_t *model;

    if (as_json) {
        _cleanup_(freep) char *text = json_dumps(models, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        puts(text ? text : "[]");
        return;
    }
    if (json_array_size(models) == 0) {
        printf("No model is installed in %s; run 'make model' in the source folder, or "
               "'imagesync models add FILE.onnx'.\n",
               settings->models_dir);
        return;
    }
    printf("  %-24s %-9s %10s  %-9s  %-12s %s\n", "NAME", "PRECISION", "SIZE", "INPUT", "LICENCE",
           "QUALITY");
    json_array_foreach(models, at, model) {
        print_row(model);
    }
}

int models_list_command(const CliCall *call) {
    const ModelsListOptions *options = call->options;
    _cleanup_(json_decrefp) json_t *models = json_array();
    struct dirent **entries = NULL;
    int count = find_names(call->settings->models_dir, &entries);

    for (int i = 0; i < count; i++) {
        ModelManifest manifest;
        const char *where = "", *name = entries[i]->d_name;
        int r = name[0] == '.' ? -ENOENT
                               : model_manifest_load(call->settings->models_dir, name, call->arena,
                                                     &manifest, &where);
        if (r == 0) {
            bool is_default = strcmp(name, call->settings->model) == 0;
            json_array_append_new(models, describe(&manifest, is_default, call->arena));
        } else if (r != -ENOENT) {
            fprintf(stderr, "imagesync: the manifest of '%s' is broken: %s\n", name, where);
        }
        free(entries[i]);
    }
    free(entries);
    print_models(models, options->json, call->settings);
    return EXIT_OK;
}

static int verify_one(const CliCall *call, const char *name) {
    ModelManifest manifest;
    const char *where = "";
    double ms = 0;
    int r = model_manifest_load(call->settings->models_dir, name, call->arena, &manifest, &where);

    if (r == -ENOENT) {
        printf("%s: not installed\n", name);
        return r;
    }
    if (r < 0) {
        printf("%s: the manifest is broken: %s\n", name, where);
        return r;
    }
    r = model_manifest_verify(&manifest, &where);
    if (r < 0) {
        printf("%s: %s is not what its checksum says\n", name, where);
        return r;
    }
    r = model_try(call->settings, call->settings->models_dir, name, call->arena, &ms, &where);
    if (r < 0) {
        printf("%s: the checksums match, but it does not run: %s\n", name, where);
        return r;
    }
    printf("%s: ok; the checksums match, one run took %.0f ms\n", name, ms);
    fflush(stdout);
    return 0;
}

int models_verify_command(const CliCall *call) {
    struct dirent **entries = NULL;
    int count = 0, status = EXIT_OK;
    size_t tried = 0;

    model_try_block_signals();
    for (size_t i = 0; i < call->n_arguments; i++) {
        int r = verify_one(call, call->arguments[i]);
        if (r == -EINTR) {
            return EXIT_INTERRUPTED;
        }
        status = r < 0 ? EXIT_SOME_FAILED : status;
        tried++;
    }
    if (call->n_arguments == 0) {
        count = find_names(call->settings->models_dir, &entries);
    }
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.' && status != EXIT_INTERRUPTED) {
            int r = verify_one(call, entries[i]->d_name);
            status = r == -EINTR ? EXIT_INTERRUPTED : r < 0 ? EXIT_SOME_FAILED : status;
            tried++;
        }
        free(entries[i]);
    }
    free(entries);
    return tried > 0 ? status
                     : cli_no_start("no model is installed in %s; run 'make model' in the source "
                                    "folder, or 'imagesync models add FILE.onnx'",
                                    call->settings->models_dir);
}

int models_remove_command(const CliCall *call) {
    const char *name = call->arguments[0], *where = "";
    Arena *arena = call->arena;
    ModelManifest manifest;
    struct dirent **entries = NULL;
    const char *away;
    int count;

    if (model_manifest_load(call->settings->models_dir, name, arena, &manifest, &where) ==
        -ENOENT) {
        return cli_no_start("there is no model '%s' in %s", name, call->settings->models_dir);
    }
    /* Out of sight at once, so that nobody loads half of it. */
    away = arena_printf(arena, "%s/.removed-%ld", call->settings->models_dir, (long)getpid());
    if (rename(arena_printf(arena, "%s/%s", call->settings->models_dir, name), away) < 0) {
        return cli_no_start("cannot remove '%s': %s", name, strerror(errno));
    }
    if (unlink(away) == 0) { /* it was a link; the folder that it led to is not ours */
        printf("removed %s\n", name);
        return EXIT_OK;
    }
    count = scandir(away, &entries, NULL, NULL);
    for (int i = 0; i < count; i++) {
        unlink(arena_printf(arena, "%s/%s", away, entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    if (rmdir(away) < 0) {
        return cli_no_start("%s could not be emptied: %s", away, strerror(errno));
    }
    printf("removed %s\n", name);
    return EXIT_OK;
}
