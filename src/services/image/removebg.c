/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/removebg.h"

Failure removebg_read_sources(ImageJob *job, const Form *form, const char **reterr_detail) {
    unsigned count = form_count(form, "image_file") + form_count(form, "image_file_b64") +
                     form_count(form, "image_url");
    Str value;

    if (count > 1) {
        *reterr_detail = "Please send only one of image_file, image_file_b64 and image_url.";
        return FAILURE_MULTIPLE_SOURCES;
    }
    if (fields_find(form, "image_file_b64", &value)) {
        return image_job_set_base64(job, &job->image, value, reterr_detail);
    }
    if (fields_find(form, "image_url", &value)) {
        return image_job_set_url(job, &job->image, value, reterr_detail);
    }
    *reterr_detail = "Please provide the source image in the image_url, image_file or "
                     "image_file_b64 parameter.";
    return image_job_set_file(job, &job->image, form, "image_file", reterr_detail);
}

/* bg_color was read with the other fields. */
static Failure read_background(ImageJob *job, const Form *form, Recipe *recipe,
                               const char **reterr_detail) {
    unsigned n_files = form_count(form, "bg_image_file");
    unsigned n_urls = form_count(form, "bg_image_url");
    bool has_colour = recipe->background == RECIPE_BACKGROUND_COLOUR;
    Str value;

    if (n_files + n_urls + has_colour > 1) {
        *reterr_detail = "Please send only one of bg_color, bg_image_url and bg_image_file.";
        return FAILURE_MULTIPLE_BG_SOURCES;
    }
    if (n_files + n_urls == 0) {
        return FAILURE_NONE;
    }
    recipe->background = RECIPE_BACKGROUND_IMAGE;
    if (fields_find(form, "bg_image_url", &value)) {
        return image_job_set_url(job, &job->background, value, reterr_detail);
    }
    return image_job_set_file(job, &job->background, form, "bg_image_file", reterr_detail);
}

static Failure check_picture(const ImageJob *job, const Recipe *recipe,
                             const char **reterr_detail) {
    const ImageInfo *info = &job->info;
    Rect rect;

    if ((uint64_t)info->width * info->height > REMOVEBG_INPUT_PIXELS_MAX) {
        *reterr_detail = "Input images may have up to 50 megapixels.";
        return FAILURE_RESOLUTION_TOO_HIGH;
    }
    switch (roi_resolve(&recipe->roi, info->width, info->height, &rect)) {
    case ROI_E_EXCEEDS_BOUNDS:
        *reterr_detail =
            arena_printf(job->arena, "The image has %u x %u pixels.", info->width, info->height);
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
        failure = removebg_read_fields(&form, request, reterr_detail);
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
