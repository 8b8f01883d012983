/* SPDX-License-Identifier: Apache-2.0 */
#include "core/contracts/worker.h"

#include "base/error.h"

#include <assert.h>

#define DETAIL_MAX 200
#define PATH_MAX_  4096
#define OUTPUT_MAX 4e9
#define SIDE_MAX   1e6
#define MS_MAX     1e9

#define AT(member) offsetof(ChildMessage, member)

static const char *const op_names[] = {"start",    "ready",    "probe",    "render",   "ingest",
                                       "metadata", "matte",    "probed",   "ingested", "described",
                                       "done",     "refused",  "describe", "model",    "no_model",
                                       "infer",    "inferred", NULL};

static const JsonField start_fields[] = {
    {"log_level", JSON_FIELD_STR, AT(log_level), .max = 16},
    {"threads", JSON_FIELD_U32, AT(threads), true, .max = 1024},
    {"memory_max", JSON_FIELD_U64, AT(memory_max), true},
    {"models_dir", JSON_FIELD_STR, AT(models_dir), .max = PATH_MAX_},
    {"model", JSON_FIELD_STR, AT(model), .max = MODEL_NAME_MAX},
    {"cache_dir", JSON_FIELD_STR, AT(cache_dir), .max = PATH_MAX_},
    {0},
};

static const JsonField ready_fields[] = {{0}};

#define INPUT_FIELDS                                                                               \
    {"id", JSON_FIELD_U64, AT(id), true},                                                          \
        {"input_offset", JSON_FIELD_U64, AT(input_offset), true}, {                                \
        "input_len", JSON_FIELD_U64, AT(input_len), true                                           \
    }

#define PICTURE_FIELDS                                                                             \
    INPUT_FIELDS, {"pixels_max", JSON_FIELD_U64, AT(pixels_max), true},                            \
        {"side_max", JSON_FIELD_U32, AT(side_max), true}, {                                        \
        "pages_max", JSON_FIELD_U32, AT(pages_max), true                                           \
    }

#define MODEL_SIZE_FIELDS                                                                          \
    {"model_width", JSON_FIELD_U32, AT(model_width), true, .min = 1, .max = TENSOR_SIDE_MAX}, {    \
        "model_height", JSON_FIELD_U32, AT(model_height), true, .min = 1, .max = TENSOR_SIDE_MAX   \
    }

#define MODEL_NAME_FIELD                                                                           \
    { "model", JSON_FIELD_STR, AT(model), true, .max = MODEL_NAME_MAX }

static const JsonField probe_fields[] = {PICTURE_FIELDS, {0}};

static const JsonField render_fields[] = {
    PICTURE_FIELDS,
    {"has_background", JSON_FIELD_BOOL, AT(has_background), true},
    {"background_offset", JSON_FIELD_U64, AT(background_offset), true},
    {"background_len", JSON_FIELD_U64, AT(background_len), true},
    MODEL_SIZE_FIELDS,
    {0},
};

#define INGEST_SIDE_FIELD(side)                                                                    \
    { #side, JSON_FIELD_U32, AT(ingest.side), true, .min = 1, .max = RENDER_INGEST_SIDE_MAX }

static const JsonField ingest_fields[] = {
    PICTURE_FIELDS,
    INGEST_SIDE_FIELD(mezzanine_max),
    INGEST_SIDE_FIELD(thumbnail_max),
    {"orientation", JSON_FIELD_U32, AT(ingest.orientation), true, .max = 8},
    {0},
};

static const JsonField metadata_fields[] = {INPUT_FIELDS, {0}};

static const JsonField matte_fields[] = {
    {"id", JSON_FIELD_U64, AT(id), true},
    {"status", JSON_FIELD_ENUM, AT(status), true, .names = render_status_names},
    {0},
};

static const JsonField probed_fields[] = {
    {"id", JSON_FIELD_U64, AT(id), true},
    {"info", JSON_FIELD_OBJECT, AT(info), true, .fields = image_info_fields},
    {0},
};

static const JsonField foreground_fields[] = {
    {"left", JSON_FIELD_U32, offsetof(Rect, left), true, .max = SIDE_MAX},
    {"top", JSON_FIELD_U32, offsetof(Rect, top), true, .max = SIDE_MAX},
    {"width", JSON_FIELD_U32, offsetof(Rect, width), true, .max = SIDE_MAX},
    {"height", JSON_FIELD_U32, offsetof(Rect, height), true, .max = SIDE_MAX},
    {0},
};

#define STEP_FIELD(step)                                                                           \
    { #step, JSON_FIELD_DOUBLE, offsetof(RenderTimings, step), true, .min = 0, .max = MS_MAX }

static const JsonField timings_fields[] = {
    STEP_FIELD(queue),   STEP_FIELD(decode), STEP_FIELD(inference), STEP_FIELD(refine),
    STEP_FIELD(compose), STEP_FIELD(encode), STEP_FIELD(total),     {0},
};

static const JsonField done_fields[] = {
    {"id", JSON_FIELD_U64, AT(id), true},
    {"info", JSON_FIELD_OBJECT, AT(info), true, .fields = image_info_fields},
    {"output_len", JSON_FIELD_U64, AT(output_len), true, .min = 1, .max = OUTPUT_MAX},
    {"format", JSON_FIELD_ENUM, AT(format), true, .names = output_format_names},
    {"subject", JSON_FIELD_ENUM, AT(subject), true, .names = recipe_subject_names},
    {"width", JSON_FIELD_U32, AT(width), true, .min = 1, .max = SIDE_MAX},
    {"height", JSON_FIELD_U32, AT(height), true, .min = 1, .max = SIDE_MAX},
    {"foreground", JSON_FIELD_OBJECT, AT(foreground), true, .fields = foreground_fields},
    {"input_width", JSON_FIELD_U32, AT(input_width), true, .min = 1, .max = SIDE_MAX},
    {"input_height", JSON_FIELD_U32, AT(input_height), true, .min = 1, .max = SIDE_MAX},
    {"uncertainty", JSON_FIELD_DOUBLE, AT(uncertainty), true, .min = 0, .max = 1},
    {"timings", JSON_FIELD_OBJECT, AT(timings), true, .fields = timings_fields},
    {0},
};

static const JsonField file_fields[] = {
    {"len", JSON_FIELD_U64, offsetof(ChildFile, len), true, .min = 1, .max = OUTPUT_MAX},
    {"format", JSON_FIELD_ENUM, offsetof(ChildFile, format), true, .names = output_format_names},
    {"width", JSON_FIELD_U32, offsetof(ChildFile, width), true, .min = 1,
     .max = RENDER_INGEST_SIDE_MAX},
    {"height", JSON_FIELD_U32, offsetof(ChildFile, height), true, .min = 1,
     .max = RENDER_INGEST_SIDE_MAX},
    {0},
};

static const JsonField ingested_fields[] = {
    {"id", JSON_FIELD_U64, AT(id), true},
    {"info", JSON_FIELD_OBJECT, AT(info), true, .fields = image_info_fields},
    {"photo", JSON_FIELD_OBJECT, AT(photo), true, .fields = photo_info_fields},
    {"hash_high", JSON_FIELD_U32, AT(hash_high), true},
    {"hash_low", JSON_FIELD_U32, AT(hash_low), true},
    {"mezzanine", JSON_FIELD_OBJECT, AT(mezzanine), true, .fields = file_fields},
    {"thumbnail", JSON_FIELD_OBJECT, AT(thumbnail), true, .fields = file_fields},
    {"timings", JSON_FIELD_OBJECT, AT(timings), true, .fields = timings_fields},
    {0},
};

static const JsonField described_fields[] = {
    {"id", JSON_FIELD_U64, AT(id), true},
    {"film", JSON_FIELD_OBJECT, AT(film), true, .fields = film_info_fields},
    {"raw", JSON_FIELD_OBJECT, AT(raw), true, .fields = raw_info_fields},
    {"photo", JSON_FIELD_OBJECT, AT(photo), true, .fields = photo_info_fields},
    {0},
};

static const JsonField refused_fields[] = {
    {"id", JSON_FIELD_U64, AT(id), true},
    {"status", JSON_FIELD_ENUM, AT(status), true, .names = render_status_names},
    {"detail", JSON_FIELD_STR, AT(detail), .max = DETAIL_MAX},
    {0},
};

static const JsonField describe_fields[] = {MODEL_NAME_FIELD, {0}};

static const JsonField model_fields[] = {MODEL_NAME_FIELD, MODEL_SIZE_FIELDS, {0}};

static const JsonField infer_fields[] = {
    {"id", JSON_FIELD_U64, AT(id), true}, MODEL_NAME_FIELD, MODEL_SIZE_FIELDS, {0}};

static const JsonField inferred_fields[] = {
    {"id", JSON_FIELD_U64, AT(id), true},
    {"status", JSON_FIELD_ENUM, AT(status), true, .names = render_status_names},
    {"inference_ms", JSON_FIELD_DOUBLE, AT(inference_ms), true, .min = 0, .max = MS_MAX},
    {0},
};

static const JsonField *const op_fields[] = {
    [CHILD_START] = start_fields,       [CHILD_READY] = ready_fields,
    [CHILD_INGEST] = ingest_fields,     [CHILD_INGESTED] = ingested_fields,
    [CHILD_METADATA] = metadata_fields, [CHILD_DESCRIBED] = described_fields,
    [CHILD_PROBE] = probe_fields,       [CHILD_RENDER] = render_fields,
    [CHILD_MATTE] = matte_fields,       [CHILD_PROBED] = probed_fields,
    [CHILD_DONE] = done_fields,         [CHILD_REFUSED] = refused_fields,
    [CHILD_DESCRIBE] = describe_fields, [CHILD_MODEL] = model_fields,
    [CHILD_NO_MODEL] = describe_fields, [CHILD_INFER] = infer_fields,
    [CHILD_INFERRED] = inferred_fields,
};

bool model_name_valid(const char *name) {
    size_t len = strlen(name);

    return len > 0 && len <= MODEL_NAME_MAX && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

TensorLayout tensor_layout(uint32_t width, uint32_t height) {
    uint64_t pixels = (uint64_t)width * height;
    uint64_t matte_offset = (pixels * 3 + 63) / 64 * 64;

    assert(width > 0 && width <= TENSOR_SIDE_MAX && height > 0 && height <= TENSOR_SIDE_MAX);
    return (TensorLayout){.matte_offset = matte_offset,
                          .size = matte_offset + pixels * sizeof(float)};
}

json_t *child_message_write(const ChildMessage *message) {
    json_t *json = json_write(op_fields[message->op], message);

    json_object_set_new(json, "op", json_string(op_names[message->op]));
    if (message->op == CHILD_RENDER) {
        json_object_set_new(json, "recipe", recipe_to_json(&message->recipe));
    }
    return json;
}

static int read_op(const json_t *json, int *ret_op) {
    const char *name = json_string_value(json_object_get(json, "op"));

    for (int op = 0; name && op_names[op]; op++) {
        if (strcmp(name, op_names[op]) == 0) {
            *ret_op = op;
            return 0;
        }
    }
    return -EBADMSG;
}

int child_message_read(const json_t *json, Arena *arena, ChildMessage *ret_message) {
    _cleanup_(json_decrefp) json_t *rest = json_copy((json_t *)json);
    ChildMessage message = {.recipe = RECIPE_INIT};
    const char *where;

    if (read_op(json, &message.op) < 0) {
        return err_trace(-EBADMSG);
    }
    json_object_del(rest, "op");
    if (message.op == CHILD_RENDER) {
        if (recipe_from_json(json_object_get(json, "recipe"), arena, &message.recipe, &where) < 0) {
            return err_trace(-EBADMSG);
        }
        json_object_del(rest, "recipe");
    }
    if (json_read(rest, op_fields[message.op], arena, &message, &where) < 0 ||
        ((message.op == CHILD_INGESTED || message.op == CHILD_DESCRIBED) &&
         !photo_info_valid(&message.photo))) {
        return err_trace(-EBADMSG);
    }
    *ret_message = message;
    return 0;
}
