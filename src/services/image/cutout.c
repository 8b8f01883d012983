/* SPDX-License-Identifier: Apache-2.0 */

/* Our own API, for the web page and scripts: POST /v1/cutout and GET /v1/page-config. */

#include "services/image/removebg.h"

#include "base/fd.h"

#include <jansson.h>

#define CUTOUT_PIXELS_MAX REMOVEBG_INPUT_PIXELS_MAX
#define MODEL_LEN_MAX     64
#define BLUR_MAX          0.05

typedef struct CutoutRequest {
    Recipe recipe;
    unsigned backgrounds; /* how many ways were asked for */
    Str model;
} CutoutRequest;

static bool read_format(Str text, void *target) {
    OutputFormat format;

    if (output_format_parse(text, &format) < 0) {
        return false;
    }
    ((CutoutRequest *)target)->recipe.format = format;
    return true;
}

static bool read_channels(Str text, void *target) {
    return field_read_name(text, recipe_channels_names,
                           &((CutoutRequest *)target)->recipe.channels);
}

static bool read_colour(Str text, void *target) {
    CutoutRequest *request = target;

    request->recipe.background = RECIPE_BACKGROUND_COLOUR;
    request->backgrounds++;
    return colour_parse(text, &request->recipe.colour) == 0;
}

/* "true", or the strength as a share of the longer side; "false" and 0 mean none. */
static bool read_blur(Str text, void *target) {
    CutoutRequest *request = target;
    double blur = request->recipe.blur;
    bool on;

    if (str_to_double(text, &blur) == 0) {
        on = blur > 0;
    } else if (!field_read_bool(text, &on)) {
        return false;
    }
    if (blur < 0 || blur > BLUR_MAX) {
        return false;
    }
    if (on) {
        request->recipe.background = RECIPE_BACKGROUND_BLUR;
        request->recipe.blur = blur;
        request->backgrounds++;
    }
    return true;
}

static bool read_crop(Str text, void *target) {
    return field_read_bool(text, &((CutoutRequest *)target)->recipe.crop);
}

static bool read_crop_margin(Str text, void *target) {
    return margin_parse(text, &((CutoutRequest *)target)->recipe.crop_margin) == 0;
}

static bool read_quality(Str text, void *target) {
    return field_read_u32(text, 1, 100, &((CutoutRequest *)target)->recipe.quality);
}

static bool read_model(Str text, void *target) {
    if (text.len > MODEL_LEN_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (i == 0 || !strchr("._-", c))) {
            return false;
        }
    }
    ((CutoutRequest *)target)->model = text;
    return true;
}

static const FieldRule rules[] = {
    {"format", read_format, FAILURE_INVALID_FORMAT},
    {"channels", read_channels, FAILURE_INVALID_CHANNELS},
    {"background_color", read_colour, FAILURE_INVALID_BG_COLOR},
    {"blur", read_blur, FAILURE_INVALID_BLUR},
    {"crop", read_crop, FAILURE_INVALID_CROP},
    {"crop_margin", read_crop_margin, FAILURE_INVALID_CROP_MARGIN},
    {"quality", read_quality, FAILURE_INVALID_QUALITY},
    {"model", read_model, FAILURE_INVALID_MODEL},
    {0},
};

static Failure read_form(ImageJob *job, const Form *form, const char **reterr_detail) {
    CutoutRequest wanted = {.recipe = job->recipe};
    Failure failure = fields_read(form, rules, &wanted);
    Str image, background;
    bool has_background;

    if (failure != FAILURE_NONE) {
        return failure;
    }
    if (!fields_find(form, "image", &image)) {
        *reterr_detail = "Please send the picture in the field image of a multipart form.";
        return FAILURE_MISSING_SOURCE;
    }
    if (wanted.model.len > 0) {
        job->model = arena_strdup(job->arena, wanted.model);
    }
    has_background = fields_find(form, "background", &background);
    if (wanted.backgrounds + has_background > 1) {
        *reterr_detail = "Please send only one of background, background_color and blur.";
        return FAILURE_MULTIPLE_BG_SOURCES;
    }
    failure = failure_of_source(image_job_set_bytes(job, &job->image, image), FAILURE_READ_IMAGE);
    if (failure == FAILURE_NONE && has_background) {
        wanted.recipe.background = RECIPE_BACKGROUND_IMAGE;
        failure = failure_of_source(image_job_set_bytes(job, &job->background, background),
                                    FAILURE_READ_IMAGE);
    }
    job->recipe = wanted.recipe;
    return failure;
}

static Failure prepare(ImageJob *job, const char **reterr_detail) {
    Failure failure = access_for_page(job->service, job->request, &job->caller);
    Form form = {0};

    job->recipe.pixels_max = CUTOUT_PIXELS_MAX;
    if (failure == FAILURE_NONE) {
        failure = image_job_take_rate(job, 1);
    }
    if (failure == FAILURE_NONE) {
        failure = image_job_read_form(job, &form, reterr_detail);
    }
    return failure != FAILURE_NONE ? failure : read_form(job, &form, reterr_detail);
}

static Failure admit(ImageJob *job, const char **reterr_detail) {
    Failure failure;

    if ((uint64_t)job->info.width * job->info.height > CUTOUT_PIXELS_MAX) {
        *reterr_detail = "Pictures may have up to 50 megapixels.";
        return FAILURE_RESOLUTION_TOO_HIGH;
    }
    failure = image_job_take_rate(job, image_job_megapixels(&job->info));
    return failure != FAILURE_NONE ? failure : image_job_reserve(job, CREDIT);
}

static void reply(ImageJob *job, RenderResult *result) {
    const Rect *box = &result->foreground;
    HeaderList headers = {0};

    /* Another background or format for a photo that was just cut out is not another photo. */
    if (result->matte_kept) {
        image_job_waive(job);
    }
    header_add(&headers, job->arena, "X-Width", "%u", result->width);
    header_add(&headers, job->arena, "X-Height", "%u", result->height);
    header_add(&headers, job->arena, "X-Foreground-Left", "%u", box->left);
    header_add(&headers, job->arena, "X-Foreground-Top", "%u", box->top);
    header_add(&headers, job->arena, "X-Foreground-Width", "%u", box->width);
    header_add(&headers, job->arena, "X-Foreground-Height", "%u", box->height);
    header_add(&headers, job->arena, "Server-Timing",
               "queue;dur=%.1f, decode;dur=%.1f, inference;dur=%.1f, refine;dur=%.1f, "
               "compose;dur=%.1f, encode;dur=%.1f",
               result->timings.queue, result->timings.decode, result->timings.inference,
               result->timings.refine, result->timings.compose, result->timings.encode);
    image_job_rate_headers(job, &headers);
    image_job_reply(job, &(HttpResponse){.status = 200,
                                         .content_type = output_format_media_type(result->format),
                                         .headers = headers.items,
                                         .body_fd = TAKE_FD(result->output_fd),
                                         .body_fd_len = result->output_len});
}

static const JobApi api = {
    .name = "cutout", .shape = ERROR_SHAPE_PROBLEM, .admit = admit, .reply = reply};

void cutout_handle(HttpRequest *request, void *context) {
    image_job_run(context, request, &api, prepare);
}

void page_config_handle(HttpRequest *request, void *context) {
    ImageService *service = context;
    json_t *json = json_pack("{s:b,s:[s,s,s,s,s],s:I,s:I}", "key_required",
                             !access_page_is_open(service, request), "formats", "png", "jpg",
                             "webp", "avif", "zip", "file_bytes_max", (json_int_t)service->file_max,
                             "pixels_max", (json_int_t)CUTOUT_PIXELS_MAX);
    char *dump = json_dumps(json, JSON_COMPACT);

    http_respond(
        request,
        &(HttpResponse){.status = 200, .content_type = "application/json", .body = str_from(dump)});
    free(dump);
    json_decref(json);
}
