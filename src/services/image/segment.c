/* SPDX-License-Identifier: Apache-2.0 */

/* Photoroom's first API: POST /v1/segment. */

#include "services/image/removebg.h"

#include "base/fd.h"

#define SEGMENT_PIXELS_MAX    36000000u
#define SANDBOX_CALLS_A_DAY   100
#define SANDBOX_CALLS_A_MONTH 1000

static bool read_format(Str text, void *target) {
    OutputFormat format;

    if (output_format_parse(text, &format) < 0 || format == OUTPUT_FORMAT_AUTO ||
        format == OUTPUT_FORMAT_AVIF || format == OUTPUT_FORMAT_ZIP) {
        return false;
    }
    ((Recipe *)target)->format = format;
    return true;
}

static bool read_channels(Str text, void *target) {
    return field_read_name(text, recipe_channels_names, &((Recipe *)target)->channels);
}

static bool read_bg_color(Str text, void *target) {
    Recipe *recipe = target;

    recipe->background = RECIPE_BACKGROUND_COLOUR;
    return colour_parse(text, &recipe->colour) == 0;
}

static bool read_size(Str text, void *target) {
    static const char *const names[] = {"preview", "medium", "hd", "full", NULL};
    static const uint64_t pixels[] = {250000, 1500000, 4000000, SEGMENT_PIXELS_MAX};
    int index;

    if (!field_read_name(text, names, &index)) {
        return false;
    }
    ((Recipe *)target)->pixels_max = pixels[index];
    return true;
}

static bool read_crop(Str text, void *target) {
    return field_read_bool(text, &((Recipe *)target)->crop);
}

static bool read_despill(Str text, void *target) {
    return field_read_bool(text, &((Recipe *)target)->despill);
}

static const FieldRule rules[] = {
    {"format", read_format, FAILURE_INVALID_FORMAT},
    {"channels", read_channels, FAILURE_INVALID_CHANNELS},
    {"bg_color", read_bg_color, FAILURE_INVALID_BG_COLOR},
    {"size", read_size, FAILURE_INVALID_SIZE},
    {"crop", read_crop, FAILURE_INVALID_CROP},
    {"despill", read_despill, FAILURE_INVALID_DESPILL},
    {0},
};

static Failure read_fields(const Form *form, Recipe *recipe) {
    return fields_read(form, rules, recipe);
}

static Failure prepare(ImageJob *job, const char **reterr_detail) {
    Failure failure = access_by_key(job->service, job->request, true, &job->caller);
    Form form = {0};
    Str file;

    job->recipe.format = OUTPUT_FORMAT_PNG;
    job->recipe.pixels_max = SEGMENT_PIXELS_MAX;
    job->recipe.watermark = job->caller.sandbox;
    if (failure == FAILURE_NONE) {
        failure = image_job_take_rate(job, 1);
    }
    if (failure == FAILURE_NONE) {
        failure = image_job_read_form(job, &form, reterr_detail);
    }
    if (failure == FAILURE_NONE) {
        failure = read_fields(&form, &job->recipe);
    }
    if (failure != FAILURE_NONE) {
        return failure;
    }
    if (!fields_find(&form, "image_file", &file)) {
        *reterr_detail = "Please provide the image in the image_file field.";
        return FAILURE_MISSING_SOURCE;
    }
    return failure_of_source(image_job_set_bytes(job, &job->image, file), FAILURE_READ_IMAGE);
}

/* The sandbox costs nothing. The day first: a call that it refuses is none of the month's. */
static Failure admit_to_sandbox(ImageJob *job) {
    if (!image_job_take_cap(job, USAGE_CAP_SANDBOX_DAY, SANDBOX_CALLS_A_DAY)) {
        return FAILURE_DAILY_CAP;
    }
    if (!image_job_take_cap(job, USAGE_CAP_SANDBOX_MONTH, SANDBOX_CALLS_A_MONTH)) {
        return FAILURE_MONTHLY_CAP;
    }
    return FAILURE_NONE;
}

static Failure admit(ImageJob *job, const char **reterr_detail) {
    Failure failure;

    if ((uint64_t)job->info.width * job->info.height > REMOVEBG_INPUT_PIXELS_MAX) {
        *reterr_detail = "Input images may have up to 50 megapixels.";
        return FAILURE_RESOLUTION_TOO_HIGH;
    }
    failure = image_job_take_rate(job, image_job_megapixels(&job->info));
    if (failure != FAILURE_NONE) {
        return failure;
    }
    return job->caller.sandbox ? admit_to_sandbox(job) : image_job_reserve(job, CREDIT);
}

static void reply(ImageJob *job, RenderResult *result) {
    /* The vendor's way to say that people are in the picture. */
    double uncertainty = result->subject == RECIPE_SUBJECT_PERSON ? -1 : result->uncertainty;
    _cleanup_(buf_done) Buf body = BUF_INIT;
    HeaderList headers = {0};
    HttpResponse response = {.status = 200, .headers = headers.items};

    header_add(&headers, job->arena, "X-Uncertainty-Score", "%.3g", uncertainty);
    image_job_rate_headers(job, &headers);
    if (accepts_json(http_request_header(job->request, "Accept"))) {
        _cleanup_(map_done) Map map = MAP_INIT;
        if (map_range(result->output_fd, 0, result->output_len, &map) < 0) {
            image_job_fail(job, FAILURE_INTERNAL, NULL);
            return;
        }
        buf_add_str(&body, str_lit("{\"base64img\":\""));
        base64_encode((Str){map.data, map.len}, &body);
        buf_add_str(&body, str_lit("\"}"));
        response.content_type = "application/json";
        response.body = buf_str(&body);
    } else {
        response.content_type = output_format_media_type(result->format);
        response.body_fd = TAKE_FD(result->output_fd);
        response.body_fd_len = result->output_len;
    }
    image_job_reply(job, &response);
}

static const JobApi api = {
    .name = "segment", .shape = ERROR_SHAPE_PHOTOROOM, .admit = admit, .reply = reply};

void segment_handle(HttpRequest *request, void *context) {
    image_job_run(context, request, &api, prepare);
}
