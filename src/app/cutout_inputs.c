/* SPDX-License-Identifier: Apache-2.0 */
#include "app/cutout_inputs.h"

#include "base/error.h"

#include <dirent.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

/* Folders in folders; a loop of links ends here. */
#define DEPTH_MAX 32

typedef struct Finder {
    const InputOptions *options;
    Arena *arena;
    InputList *list;
} Finder;

/* The array with room for one more; what it held stays in the arena. */
static void *grown(Arena *arena, void *items, size_t count, size_t *capacity, size_t item_size) {
    void *larger;

    if (count < *capacity) {
        return items;
    }
    *capacity = MAX(*capacity * 2, (size_t)16);
    larger = arena_alloc(arena, *capacity * item_size);
    if (count > 0) {
        memcpy(larger, items, count * item_size);
    }
    return larger;
}

static int add_input(Finder *finder, const char *path, const char *relative) {
    InputList *list = finder->list;

    if (list->n_inputs == INPUTS_MAX) {
        return -E2BIG;
    }
    list->inputs = grown(finder->arena, list->inputs, list->n_inputs, &list->inputs_capacity,
                         sizeof(*list->inputs));
    list->inputs[list->n_inputs++] = (PlanInput){arena_strdup(finder->arena, str_from(path)),
                                                 arena_strdup(finder->arena, str_from(relative))};
    return 0;
}

static void add_failure(Finder *finder, const char *path, const char *detail) {
    InputList *list = finder->list;

    list->failures = grown(finder->arena, list->failures, list->n_failures,
                           &list->failures_capacity, sizeof(*list->failures));
    list->failures[list->n_failures++] = (InputFailure){
        arena_strdup(finder->arena, str_from(path)), arena_strdup(finder->arena, str_from(detail))};
}

static bool is_picture_name(const char *name) {
    static const char *const extensions[] = {"jpg",  "jpeg", "jpe",  "png",  "webp", "gif", "tif",
                                             "tiff", "bmp",  "heic", "heif", "avif", "jfif"};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < ARRAY_LEN(extensions); i++) {
        if (strcasecmp(dot + 1, extensions[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void free_names(struct dirent **names, int count) {
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

/* Whether that is the folder which the results go to. */
static bool is_out(const Finder *finder, const struct stat *status) {
    struct stat out;

    return finder->options->out && stat(finder->options->out, &out) == 0 &&
           out.st_dev == status->st_dev && out.st_ino == status->st_ino;
}

/* `relative` is the folder's own name below the argument: "" or "shoes/". */
static int add_folder(Finder *finder, const char *folder, const char *relative, int depth) {
    struct dirent **names = NULL;
    int count = scandir(folder, &names, visible, alphasort);
    int r = 0;

    if (count < 0) {
        add_failure(finder, folder, strerror(errno));
        return 0;
    }
    for (int i = 0; i < count && r == 0; i++) {
        const char *name = names[i]->d_name;
        size_t len = strlen(folder);
        const char *slash = len > 0 && folder[len - 1] == '/' ? "" : "/";
        char *path = arena_printf(finder->arena, "%s%s%s", folder, slash, name);
        char *below = arena_printf(finder->arena, "%s%s", relative, name);
        struct stat status;
        if (stat(path, &status) < 0) {
            continue;
        }
        if (S_ISDIR(status.st_mode) && finder->options->recursive && depth < DEPTH_MAX &&
            !is_out(finder, &status)) {
            r = add_folder(finder, path, arena_printf(finder->arena, "%s/", below), depth + 1);
        } else if (S_ISREG(status.st_mode) && is_picture_name(name) &&
                   !(finder->options->skip_results && output_plan_is_result(name))) {
            r = add_input(finder, path, below);
        }
    }
    free_names(names, count);
    return r;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int add_path(Finder *finder, const char *path) {
    size_t before = finder->list->n_inputs, failures = finder->list->n_failures;
    struct stat status;
    int r;

    if (stat(path, &status) < 0) {
        add_failure(finder, path, errno == ENOENT ? "there is no such file" : strerror(errno));
        return 0;
    }
    if (!S_ISDIR(status.st_mode)) {
        return add_input(finder, path, base_name(path));
    }
    finder->list->many = true;
    r = add_folder(finder, path, "", 0);
    if (r == 0 && finder->list->n_inputs == before && finder->list->n_failures == failures) {
        add_failure(finder, path,
                    finder->options->recursive ? "there is no picture in this folder"
                                               : "there is no picture in this folder; --recursive "
                                                 "looks into the folders in it");
    }
    return r;
}

static int add_pattern(Finder *finder, const char *pattern) {
    glob_t found;
    int r = glob(pattern, 0, NULL, &found);

    finder->list->many = true;
    if (r != 0) {
        add_failure(finder, pattern, "no file matches this pattern");
        return 0;
    }
    for (size_t i = 0; i < found.gl_pathc && r == 0; i++) {
        if (!(finder->options->skip_results && output_plan_is_result(found.gl_pathv[i]))) {
            r = add_path(finder, found.gl_pathv[i]);
        }
    }
    globfree(&found);
    return r;
}

int cutout_inputs_find(const char *const *arguments, size_t n_arguments,
                       const InputOptions *options, Arena *arena, InputList *ret_list) {
    Finder finder = {.options = options, .arena = arena, .list = ret_list};
    int r = 0;

    *ret_list = (InputList){0};
    for (size_t i = 0; i < n_arguments && r == 0; i++) {
        const char *argument = arguments[i];
        struct stat status;
        if (strcmp(argument, "-") == 0) {
            r = add_input(&finder, "-", "-");
        } else if (strpbrk(argument, "*?[") && lstat(argument, &status) < 0) {
            r = add_pattern(&finder, argument);
        } else {
            r = add_path(&finder, argument);
        }
    }
    return r;
}
