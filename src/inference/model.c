/* SPDX-License-Identifier: Apache-2.0 */
#include "inference/model.h"

#include "base/error.h"
#include "base/log.h"

#include <limits.h>
#include <malloc.h>
#include <math.h>
#include <openvino/c/openvino.h>
#include <stdio.h>
#include <sys/mman.h>

/*
 * Pixels come as the bytes they are, [1, height, width, 3]; conversion to float, layout, mean and
 * scale are made part of the network, which fuses them into its first layer. Input and output are
 * the caller's memory: nothing is copied.
 */
struct Model {
    ov_core_t *core;
    ov_compiled_model_t *compiled;
    ov_infer_request_t *request;
    uint32_t width, height, output;
    ModelRange range;
};

static int check(ov_status_e status, const char *step) {
    const char *text;

    if (status == OK) {
        return 0;
    }
    text = ov_get_last_err_msg();
    log_debug("model runtime", LOG_STR("step", step), LOG_STR("error", text ? text : ""));
    ov_free(text);
    return status == NOT_FOUND ? -ENOENT : -EIO;
}

#define TRY(step)                                                                                  \
    do {                                                                                           \
        int tried_ = check((step), #step);                                                         \
        if (tried_ < 0) {                                                                          \
            return err_trace(tried_);                                                              \
        }                                                                                          \
    } while (0)

DEFINE_CLEANUP(ov_model_t *, ov_model_free)
DEFINE_CLEANUP(ov_preprocess_prepostprocessor_t *, ov_preprocess_prepostprocessor_free)
DEFINE_CLEANUP(ov_preprocess_input_info_t *, ov_preprocess_input_info_free)
DEFINE_CLEANUP(ov_preprocess_input_tensor_info_t *, ov_preprocess_input_tensor_info_free)
DEFINE_CLEANUP(ov_preprocess_preprocess_steps_t *, ov_preprocess_preprocess_steps_free)
DEFINE_CLEANUP(ov_preprocess_input_model_info_t *, ov_preprocess_input_model_info_free)
DEFINE_CLEANUP(ov_preprocess_output_info_t *, ov_preprocess_output_info_free)
DEFINE_CLEANUP(ov_preprocess_output_tensor_info_t *, ov_preprocess_output_tensor_info_free)
DEFINE_CLEANUP(ov_layout_t *, ov_layout_free)
DEFINE_CLEANUP(ov_tensor_t *, ov_tensor_free)

static int describe_input(ov_preprocess_prepostprocessor_t *ppp, const ModelManifest *manifest) {
    _cleanup_(ov_preprocess_input_info_freep) ov_preprocess_input_info_t *input = NULL;
    _cleanup_(ov_preprocess_input_tensor_info_freep) ov_preprocess_input_tensor_info_t *tensor =
        NULL;
    _cleanup_(ov_preprocess_preprocess_steps_freep) ov_preprocess_preprocess_steps_t *steps = NULL;
    _cleanup_(ov_preprocess_input_model_info_freep) ov_preprocess_input_model_info_t *model = NULL;
    _cleanup_(ov_layout_freep) ov_layout_t *nhwc = NULL, *nchw = NULL;

    TRY(ov_preprocess_prepostprocessor_get_input_info_by_index(ppp, 0, &input));
    TRY(ov_preprocess_input_info_get_tensor_info(input, &tensor));
    TRY(ov_preprocess_input_tensor_info_set_element_type(tensor, U8));
    TRY(ov_layout_create("NHWC", &nhwc));
    TRY(ov_preprocess_input_tensor_info_set_layout(tensor, nhwc));
    TRY(ov_preprocess_input_tensor_info_set_spatial_static_shape(tensor, manifest->height,
                                                                 manifest->width));
    TRY(ov_preprocess_input_info_get_preprocess_steps(input, &steps));
    TRY(ov_preprocess_preprocess_steps_convert_element_type(steps, F32));
    TRY(ov_preprocess_preprocess_steps_mean_multi_channels(steps, manifest->mean, 3));
    TRY(ov_preprocess_preprocess_steps_scale_multi_channels(steps, manifest->scale, 3));
    TRY(ov_preprocess_input_info_get_model_info(input, &model));
    TRY(ov_layout_create("NCHW", &nchw));
    TRY(ov_preprocess_input_model_info_set_layout(model, nchw));
    return 0;
}

static int describe_output(ov_preprocess_prepostprocessor_t *ppp, const ModelManifest *manifest) {
    _cleanup_(ov_preprocess_output_info_freep) ov_preprocess_output_info_t *output = NULL;
    _cleanup_(ov_preprocess_output_tensor_info_freep) ov_preprocess_output_tensor_info_t *tensor =
        NULL;

    TRY(ov_preprocess_prepostprocessor_get_output_info_by_index(ppp, manifest->output, &output));
    TRY(ov_preprocess_output_info_get_tensor_info(output, &tensor));
    TRY(ov_preprocess_output_set_element_type(tensor, F32));
    return 0;
}

static int read_network(Model *model, const ModelManifest *manifest, ov_model_t **ret_network) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(ov_model_freep) ov_model_t *network = NULL;
    _cleanup_(ov_preprocess_prepostprocessor_freep) ov_preprocess_prepostprocessor_t *ppp = NULL;
    const char *path = arena_printf(arena, "%s/%s", manifest->directory, manifest->file);

    TRY(ov_core_read_model(model->core, path, NULL, &network));
    TRY(ov_preprocess_prepostprocessor_create(network, &ppp));
    if (describe_input(ppp, manifest) < 0 || describe_output(ppp, manifest) < 0) {
        return -EIO;
    }
    TRY(ov_preprocess_prepostprocessor_build(ppp, ret_network));
    return 0;
}

static int compile(Model *model, const ModelManifest *manifest, const ModelOptions *options) {
    _cleanup_(ov_model_freep) ov_model_t *network = NULL;
    char threads[16];
    int r = read_network(model, manifest, &network);

    if (r < 0) {
        return err_trace(r);
    }
    snprintf(threads, sizeof(threads), "%u", options->threads);
    TRY(ov_core_compile_model(model->core, network, options->device, 6, &model->compiled,
                              ov_property_key_hint_performance_mode, "LATENCY",
                              ov_property_key_num_streams, "1",
                              ov_property_key_inference_num_threads, threads));
    TRY(ov_compiled_model_create_infer_request(model->compiled, &model->request));
    return 0;
}

static bool lies_in(const char *path, const char *directory) {
    _cleanup_(freep) char *whole = directory ? realpath(directory, NULL) : NULL;

    return whole && str_starts_with(str_from(path), str_from(whole));
}

/*
 * The runtime has packed the weights its own way; the file they came from stays mapped, but is
 * hardly read again. Its pages, a fifth of what the process takes, are given back; being read-only,
 * they come back from the file when they are touched after all.
 */
static void release_weights(const char *directory, const char *cache_dir) {
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[PATH_MAX + 128];
    void *start, *end;
    int path;

    while (maps && fgets(line, sizeof(line), maps)) {
        path = 0; /* stays so for a mapping that can be written */
        if (sscanf(line, "%p-%p r--%*s %*s %*s %*s %n", &start, &end, &path) == 2 && path > 0 &&
            line[path] == '/' &&
            (lies_in(line + path, directory) || lies_in(line + path, cache_dir))) {
            madvise(start, (size_t)((char *)end - (char *)start), MADV_DONTNEED);
        }
    }
    if (maps) {
        fclose(maps);
    }
    malloc_trim(0);
}

int model_open(const ModelManifest *manifest, const ModelOptions *options, Model **ret_model) {
    _cleanup_(model_closep) Model *model = calloc(1, sizeof(*model));
    int r;

    if (!model) {
        return err_trace(-ENOMEM);
    }
    *model = (Model){.width = manifest->width,
                     .height = manifest->height,
                     .output = manifest->output,
                     .range = manifest->range};
    TRY(ov_core_create(&model->core));
    if (options->cache_dir) {
        TRY(ov_core_set_property(model->core, NULL, ov_property_key_cache_dir, options->cache_dir));
    }
    r = compile(model, manifest, options);
    if (r < 0) {
        return err_trace(r);
    }
    release_weights(manifest->directory, options->cache_dir);
    *ret_model = TAKE_PTR(model);
    return 0;
}

Model *model_close(Model *model) {
    if (model) {
        ov_infer_request_free(model->request);
        ov_compiled_model_free(model->compiled);
        ov_core_free(model->core);
        free(model);
    }
    return NULL;
}

/* Below this, a stretch would turn the noise of a picture without a subject into one. */
#define MINMAX_LEAST 0.5f

/*
 * Brings the network's range to 0..1 in steps of 1/255; what is no number becomes background. In
 * steps, because a matte that was kept as bytes must give the same rendition as a fresh one.
 */
static void normalise(float *matte, size_t n, ModelRange range) {
    float least = INFINITY, greatest = -INFINITY, span;

    if (range == MODEL_RANGE_SIGMOID) {
        for (size_t i = 0; i < n; i++) {
            matte[i] = 1.0f / (1.0f + expf(-matte[i]));
        }
    } else if (range == MODEL_RANGE_MINMAX) {
        for (size_t i = 0; i < n; i++) {
            least = fminf(least, matte[i]);
            greatest = fmaxf(greatest, matte[i]);
        }
        span = greatest - least;
        for (size_t i = 0; i < n && greatest >= MINMAX_LEAST && span > 0; i++) {
            matte[i] = (matte[i] - least) / span;
        }
    }
    for (size_t i = 0; i < n; i++) {
        float value = matte[i] > 0.0f ? (matte[i] < 1.0f ? matte[i] : 1.0f) : 0.0f;
        matte[i] = (float)(uint8_t)(value * 255.0f + 0.5f) * (1.0f / 255.0f);
    }
}

int model_run(Model *model, const uint8_t *rgb, float *ret_matte) {
    _cleanup_(ov_tensor_freep) ov_tensor_t *input = NULL, *output = NULL;
    int64_t in_dims[] = {1, model->height, model->width, 3};
    int64_t out_dims[] = {1, 1, model->height, model->width};
    ov_shape_t in_shape = {.rank = 4, .dims = in_dims};
    ov_shape_t out_shape = {.rank = 4, .dims = out_dims};

    TRY(ov_tensor_create_from_host_ptr(U8, in_shape, (void *)(uintptr_t)rgb, &input));
    TRY(ov_tensor_create_from_host_ptr(F32, out_shape, ret_matte, &output));
    TRY(ov_infer_request_set_input_tensor(model->request, input));
    TRY(ov_infer_request_set_output_tensor_by_index(model->request, model->output, output));
    TRY(ov_infer_request_infer(model->request));
    normalise(ret_matte, (size_t)model->width * model->height, model->range);
    return 0;
}
