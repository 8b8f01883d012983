/* SPDX-License-Identifier: Apache-2.0 */
#include "app/output_plan.h"

#include "base/error.h"

#include <string.h>

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* What follows the last dot of the name, or NULL; a leading dot makes no extension. */
static const char *extension_of(const char *path) {
    const char *name = base_name(path);
    const char *dot = strrchr(name, '.');

    return dot && dot != name ? dot + 1 : NULL;
}

/* The path without its extension. */
static Str stem_of(const char *path) {
    const char *extension = extension_of(path);

    return (Str){path, extension ? (size_t)(extension - 1 - path) : strlen(path)};
}

const char *output_plan_extension(OutputFormat format) {
    return output_format_names[format == OUTPUT_FORMAT_AUTO ? OUTPUT_FORMAT_PNG : format];
}

bool output_plan_is_result(const char *name) {
    return str_ends_with(stem_of(name), str_lit(PLAN_SUFFIX));
}

/* The format that the name of a single output file asks for. 0 or -EINVAL. */
static int choose_format(const PlanRequest *request, Arena *arena, OutputFormat *ret_format,
                         const char **reterr_text) {
    const char *extension = extension_of(request->out);
    OutputFormat by_name;

    if (!extension) {
        *ret_format = request->format == OUTPUT_FORMAT_AUTO ? OUTPUT_FORMAT_PNG : request->format;
        return 0;
    }
    if (output_format_parse(str_from(extension), &by_name) < 0 || by_name == OUTPUT_FORMAT_AUTO) {
        if (request->format != OUTPUT_FORMAT_AUTO) {
            *ret_format = request->format;
            return 0;
        }
        *reterr_text = arena_printf(arena,
                                    "cannot tell the format from '%s'; end it in .png, .jpg, "
                                    ".webp, .avif or .zip, or give --format",
                                    request->out);
        return -EINVAL;
    }
    if (request->format != OUTPUT_FORMAT_AUTO && request->format != by_name) {
        *reterr_text = arena_printf(arena, "'%s' and --format %s ask for different formats",
                                    request->out, output_format_names[request->format]);
        return -EINVAL;
    }
    *ret_format = by_name;
    return 0;
}

/* Whether -o names a folder, by what it is, how it is written, or because there is no other way. */
static bool wants_folder(const PlanRequest *request) {
    size_t len = request->out ? strlen(request->out) : 0;

    return len > 0 && strcmp(request->out, "-") != 0 &&
           (request->out_is_folder || request->out[len - 1] == '/' || request->n_inputs > 1 ||
            request->many);
}

static const char *output_for(const PlanRequest *request, const PlanInput *input,
                              OutputFormat format, const char *folder, Arena *arena) {
    const char *extension = output_plan_extension(format);
    bool is_stdin = strcmp(input->path, "-") == 0;

    if (folder) {
        Str stem = is_stdin ? str_lit("stdin") : stem_of(input->relative);
        bool slash = folder[strlen(folder) - 1] != '/';
        return arena_printf(arena, "%s%s%.*s.%s", folder, slash ? "/" : "", (int)stem.len, stem.ptr,
                            extension);
    }
    if (request->out) {
        return request->out;
    }
    if (is_stdin) {
        return "-";
    }
    Str stem = stem_of(input->path);
    return arena_printf(arena, "%.*s" PLAN_SUFFIX ".%s", (int)stem.len, stem.ptr, extension);
}

static int compare_paths(const void *a, const void *b, void *outputs) {
    const char **paths = outputs;

    return strcmp(paths[*(const size_t *)a], paths[*(const size_t *)b]);
}

/* Two inputs must not end in one file: the second would destroy the first. */
static int check_collisions(const PlanRequest *request, const char **outputs, Arena *arena,
                            const char **reterr_text) {
    size_t *order = arena_alloc(arena, (request->n_inputs + 1) * sizeof(*order));

    for (size_t i = 0; i < request->n_inputs; i++) {
        order[i] = i;
    }
    qsort_r(order, request->n_inputs, sizeof(*order), compare_paths, outputs);
    for (size_t i = 1; i < request->n_inputs; i++) {
        size_t a = MIN(order[i - 1], order[i]), b = MAX(order[i - 1], order[i]);
        if (strcmp(outputs[a], outputs[b]) == 0) {
            *reterr_text =
                arena_printf(arena,
                             "'%s' and '%s' would both be written to '%s'; "
                             "give each of them its own -o",
                             request->inputs[a].path, request->inputs[b].path, outputs[a]);
            return -EINVAL;
        }
    }
    return 0;
}

int output_plan(const PlanRequest *request, Arena *arena, Plan *ret_plan,
                const char **reterr_text) {
    bool folder = wants_folder(request);
    bool one_file = request->out && !folder && strcmp(request->out, "-") != 0;
    Plan plan = {.format = request->format, .folder = folder ? request->out : NULL};
    OutputFormat named;
    int r;

    if (request->out && request->out[0] == '\0') {
        *reterr_text = "the name after -o is empty";
        return -EINVAL;
    }
    if (request->n_inputs > 1 && request->out && strcmp(request->out, "-") == 0) {
        *reterr_text = "standard output takes one picture; give -o a folder";
        return -EINVAL;
    }
    if (folder && !request->out_is_folder && extension_of(request->out) &&
        output_format_parse(str_from(extension_of(request->out)), &named) == 0) {
        *reterr_text = arena_printf(arena,
                                    "'%s' is one file, but there may be many results; "
                                    "give -o a folder",
                                    request->out);
        return -EINVAL;
    }
    if (one_file) {
        r = choose_format(request, arena, &plan.format, reterr_text);
        if (r < 0) {
            return r;
        }
    } else if (plan.format == OUTPUT_FORMAT_AUTO) {
        plan.format = OUTPUT_FORMAT_PNG;
    }
    plan.outputs = arena_alloc(arena, (request->n_inputs + 1) * sizeof(*plan.outputs));
    for (size_t i = 0; i < request->n_inputs; i++) {
        plan.outputs[i] = output_for(request, &request->inputs[i], plan.format, plan.folder, arena);
    }
    r = check_collisions(request, plan.outputs, arena, reterr_text);
    if (r < 0) {
        return r;
    }
    *ret_plan = plan;
    return 0;
}
