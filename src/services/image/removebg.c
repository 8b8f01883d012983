/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/removebg.h"

Failure removebg_read_sources(ImageJob *job, const Form *form, const char **reterr_detail) {
    Str file, base64, url;
    bool has_file = fields_find(form, "image_file", &file);
    bool has_base64 = fields_find(form, "image_file_b64", &base64);
    bool has_url = fields_find(form, "image_url", &url);

    if (has_file + has_base64 + has_url > 1) {
        *reterr_detail = "Please send only one of image_file, image_file_b64 and image_url.";
        return FAILURE_MULTIPLE_SOURCES;
    }
    if (has_file) {
        return failure_of_source(image_job_set_bytes(job, &job->image, file), FAILURE_READ_IMAGE);
    }
    if (has_base64) {
        return failure_of_source(image_job_set_base64(job, &job->image, base64),
                                 FAILURE_READ_IMAGE);
    }
    if (has_url) {
        return failure_of_source(image_job_set_url(job, &job->image, url),
                                 FAILURE_INVALID_IMAGE_URL);
    }
    *reterr_detail = "Please provide the source image in the image_url, image_file or "
                     "image_file_b64 parameter.";
    return FAILURE_MISSING_SOURCE;
}

/* bg_color was read with the other fields. */
static Failure read_background(ImageJob *job, const Form *form, Recipe *recipe,
                               const char **reterr_detail) {
    Str file, url;
    bool has_file = fields_find(form, "bg_image_file", &file);
    bool has_url = fields_find(form, "bg_image_url", &url);
    bool has_colour = recipe->background == RECIPE_BACKGROUND_COLOUR;

    if (has_file + has_url + has_colour > 1) {
        *reterr_detail = "Please send only one of bg_color, bg_image_url and bg_image_file.";
        return FAILURE_MULTIPLE_BG_SOURCES;
    }
    if (!has_file && !has_url) {
        return FAILURE_NONE;
    }
    recipe->background = RECIPE_BACKGROUND_IMAGE;
    if (has_file) {
        return failure_of_source(image_job_set_bytes(job, &job->background, file),
                                 FAILURE_READ_IMAGE);
    }
    return failure_of_source(image_job_set_url(job, &job->background, url),
                             FAILURE_INVALID_BG_IMAGE_URL);
}

static Failure check_picture(const ImageJob *job, const Recipe *recipe,
                             const char **reterr_detail) {
    Rect rect;

    if ((uint64_t)job->info.width * job->info.height > REMOVEBG_INPUT_PIXELS_MAX) {
        *reterr_detail = "Input images may have up to 50 megapixels.";
        return FAILURE_RESOLUTION_TOO_HIGH;
    }
    switch (roi_resolve(&recipe->roi, job->info.width, job->info.height, &rect)) {
    case ROI_E_EXCEEDS_BOUNDS:
        return FAILURE_ROI_EXCEEDS_BOUNDS;
    case ROI_E_EMPTY:
        return FAILURE_ROI_REGION_EMPTY;
    default:
        return FAILURE_NONE;
    }
}

static Failure admit(ImageJob *job, const char **reterr_detail) {
    const RemovebgRequest *request = job->api_data;
    uint64_t available = UINT64_MAX;
    const RemovebgTier *tier;
    Failure failure = check_picture(job, &request->recipe, reterr_detail);

    if (failure == FAILURE_NONE) {
        failure = image_job_take_rate(job, image_job_megapixels(&job->info));
    }
    if (failure != FAILURE_NONE) {
        return failure;
    }
    account_available(job->caller.account, &available);
    tier = removebg_tier(request->size, (uint64_t)job->info.width * job->info.height, available);
    job->recipe = request->recipe;
    job->recipe.pixels_max = tier->pixels_max;
    job->recipe.png_pixels_max = tier->png_pixels_max;
    return image_job_reserve(job, tier->cost);
}

static const JobApi api = {
    .name = "removebg", .shape = ERROR_SHAPE_REMOVEBG, .admit = admit, .reply = removebg_reply};

static Failure prepare(ImageJob *job, const char **reterr_detail) {
    RemovebgRequest *request = arena_alloc(job->arena, sizeof(*request));
    Failure failure = access_by_key(job->service, job->request, false, &job->caller);
    Form form = {0};

    *request = REMOVEBG_REQUEST_INIT;
    job->api_data = request;
    if (failure == FAILURE_NONE) {
        /* One unit now, so that a picture that turns out to be none costs something too. */
        failure = image_job_take_rate(job, 1);
    }
    if (failure == FAILURE_NONE) {
        failure = image_job_read_form(job, &form, reterr_detail);
    }
    if (failure == FAILURE_NONE) {
        failure = removebg_read_fields(&form, request);
    }
    if (failure == FAILURE_NONE) {
        failure = read_background(job, &form, &request->recipe, reterr_detail);
    }
    if (failure == FAILURE_NONE) {
        failure = removebg_read_sources(job, &form, reterr_detail);
    }
    return failure;
}

void removebg_handle(HttpRequest *request, void *context) {
    image_job_run(context, request, &api, prepare);
}
