/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/failure.h"

#include "base/error.h"

#include <assert.h>
#include <jansson.h>

/* Codes of status 400 that are not in the vendor's list name a field that it silently accepts. */
static const FailureInfo infos[_FAILURE_MAX] = {
    [FAILURE_NONE] = {200, "ok", "OK"},
    [FAILURE_MISSING_SOURCE] = {400, "missing_source", "No image given"},
    [FAILURE_MULTIPLE_SOURCES] = {400, "multiple_sources", "Multiple image sources given"},
    [FAILURE_MULTIPLE_BG_SOURCES] = {400, "multiple_bg_sources", "Multiple backgrounds given"},
    [FAILURE_MALFORMED_BODY] = {400, "malformed_body", "Malformed request body"},
    [FAILURE_INVALID_IMAGE_URL] = {400, "invalid_image_url", "Invalid image_url given"},
    [FAILURE_INVALID_BG_IMAGE_URL] = {400, "invalid_bg_image_url", "Invalid bg_image_url given"},
    [FAILURE_IMAGE_DOWNLOAD] = {400, "failed_image_download", "Failed to download image"},
    [FAILURE_BG_DOWNLOAD] = {400, "failed_bg_download", "Failed to download background image"},
    [FAILURE_READ_IMAGE] = {400, "failed_to_read_image", "Failed to read image"},
    [FAILURE_READ_BACKGROUND] = {400, "failed_to_read_image", "Failed to read background image"},
    [FAILURE_FILE_TOO_LARGE] = {400, "file_too_large", "File too large"},
    [FAILURE_FILE_TYPE] = {400, "invalid_file_type", "Invalid file type"},
    [FAILURE_RESOLUTION_TOO_HIGH] = {400, "resolution_too_high", "Image resolution too high"},
    [FAILURE_UNKNOWN_FOREGROUND] = {400, "unknown_foreground",
                                    "Could not identify foreground in image"},
    [FAILURE_INVALID_BG_COLOR] = {400, "invalid_bg_color", "Invalid bg_color given"},
    [FAILURE_INVALID_CHANNELS] = {400, "invalid_channels", "Invalid channels given"},
    [FAILURE_INVALID_CROP] = {400, "invalid_crop", "Invalid crop given"},
    [FAILURE_INVALID_CROP_MARGIN] = {400, "invalid_crop_margin", "Invalid crop_margin given"},
    [FAILURE_INVALID_FORMAT] = {400, "invalid_format", "Invalid format given"},
    [FAILURE_INVALID_POSITION] = {400, "invalid_position", "Invalid position given"},
    [FAILURE_INVALID_ROI] = {400, "invalid_roi", "Invalid roi given"},
    [FAILURE_ROI_EXCEEDS_BOUNDS] = {400, "roi_exceeds_bounds", "The roi exceeds the image"},
    [FAILURE_ROI_REGION_EMPTY] = {400, "roi_region_empty", "The roi is empty"},
    [FAILURE_INVALID_SCALE] = {400, "invalid_scale", "Invalid scale given"},
    [FAILURE_INVALID_SEMITRANSPARENCY] = {400, "invalid_semitransparency",
                                          "Invalid semitransparency given"},
    [FAILURE_INVALID_ADD_SHADOW] = {400, "invalid_add_shadow", "Invalid add_shadow given"},
    [FAILURE_INVALID_SHADOW_TYPE] = {400, "invalid_shadow_type", "Invalid shadow_type given"},
    [FAILURE_INVALID_SHADOW_OPACITY] = {400, "invalid_shadow_opacity",
                                        "Invalid shadow_opacity given"},
    [FAILURE_INVALID_SIZE] = {400, "invalid_size", "Invalid size given"},
    [FAILURE_INVALID_TYPE] = {400, "invalid_type", "Invalid type given"},
    [FAILURE_INVALID_TYPE_LEVEL] = {400, "invalid_type_level", "Invalid type_level given"},
    [FAILURE_INVALID_DESPILL] = {400, "invalid_despill", "Invalid despill given"},
    [FAILURE_INVALID_BLUR] = {400, "invalid_blur", "Invalid blur given"},
    [FAILURE_INVALID_QUALITY] = {400, "invalid_quality", "Invalid quality given"},
    [FAILURE_INVALID_MODEL] = {400, "invalid_model", "Unknown model"},
    [FAILURE_INVALID_TAG] = {400, "invalid_tag", "Invalid tag or file name given"},
    [FAILURE_INSUFFICIENT_CREDITS] = {402, "insufficient_credits", "Insufficient credits"},
    [FAILURE_MISSING_KEY] = {403, "auth_failed", "Missing API Key"},
    [FAILURE_WRONG_KEY] = {403, "auth_failed", "API Key invalid"},
    [FAILURE_KEY_SCOPE] = {403, "insufficient_scope", "API Key may not do this"},
    [FAILURE_FOREIGN_ORIGIN] = {403, "foreign_origin", "Request from another site"},
    [FAILURE_RATE_LIMIT] = {429, "rate_limit_exceeded", "Rate limit exceeded"},
    [FAILURE_DAILY_CAP] = {429, "daily_limit_exceeded", "Daily limit exceeded"},
    [FAILURE_MONTHLY_CAP] = {429, "monthly_limit_exceeded", "Monthly limit exceeded"},
    [FAILURE_BUSY] = {429, "busy", "Server busy"},
    [FAILURE_TIMEOUT] = {504, "timeout", "Processing took too long"},
    [FAILURE_UNAVAILABLE] = {503, "unavailable", "Service unavailable"},
    [FAILURE_INTERNAL] = {500, "internal_error", "Internal error"},
};

const FailureInfo *failure_info(Failure failure) {
    assert(failure < _FAILURE_MAX);
    return &infos[failure];
}

Failure failure_of_render(RenderStatus status) {
    static const Failure failures[_RENDER_STATUS_MAX] = {
        [RENDER_OK] = FAILURE_INTERNAL,
        [RENDER_UNSUPPORTED] = FAILURE_FILE_TYPE,
        [RENDER_UNREADABLE] = FAILURE_READ_IMAGE,
        [RENDER_TOO_LARGE] = FAILURE_RESOLUTION_TOO_HIGH,
        [RENDER_BACKGROUND_UNREADABLE] = FAILURE_READ_BACKGROUND,
        [RENDER_NO_FOREGROUND] = FAILURE_UNKNOWN_FOREGROUND,
        [RENDER_ROI_EXCEEDS_BOUNDS] = FAILURE_ROI_EXCEEDS_BOUNDS,
        [RENDER_ROI_EMPTY] = FAILURE_ROI_REGION_EMPTY,
        [RENDER_UNKNOWN_MODEL] = FAILURE_INVALID_MODEL,
        [RENDER_BUSY] = FAILURE_BUSY,
        [RENDER_TIMEOUT] = FAILURE_TIMEOUT,
        /* Twice in a row: it is the picture that does it. */
        [RENDER_CRASHED] = FAILURE_READ_IMAGE,
        [RENDER_CANCELLED] = FAILURE_UNAVAILABLE,
        [RENDER_FAULT] = FAILURE_INTERNAL,
    };

    assert(status < _RENDER_STATUS_MAX);
    return failures[status];
}

static json_t *removebg_json(const ErrorText *text) {
    return json_pack("{s:[{s:s,s:s,s:s*}]}", "errors", "title", text->title, "code", text->code,
                     "detail", text->detail);
}

static json_t *photoroom_json(const ErrorText *text) {
    bool no_image = strcmp(text->code, infos[FAILURE_MISSING_SOURCE].code) == 0;

    return json_pack("{s:s,s:i,s:s}", "detail", text->detail ? text->detail : text->title,
                     "status_code", (int)text->status, "type",
                     no_image ? "missing_image" : text->code);
}

static json_t *problem_json(const ErrorText *text) {
    return json_pack("{s:s,s:s,s:i,s:s*,s:s,s:s*}", "type", "about:blank", "title", text->title,
                     "status", (int)text->status, "detail", text->detail, "code", text->code,
                     "request_id", text->request_id);
}

void error_body(ErrorShape shape, const ErrorText *text, Buf *out) {
    json_t *(*const writers[])(const ErrorText *) = {removebg_json, photoroom_json, problem_json};
    json_t *json = writers[shape](text);
    char *dump = json ? json_dumps(json, JSON_COMPACT) : NULL;

    if (dump) {
        buf_add_str(out, str_from(dump));
    }
    free(dump);
    json_decref(json);
}

const char *error_content_type(ErrorShape shape) {
    return shape == ERROR_SHAPE_PROBLEM ? "application/problem+json" : "application/json";
}

static void refuse(HttpRequest *request, unsigned status, const char *title, const char *detail,
                   ErrorShape shape) {
    _cleanup_(buf_done) Buf body = BUF_INIT;
    const ErrorText text = {status, http_code_of_status(status), title, detail,
                            http_request_id(request)};

    error_body(shape, &text, &body);
    http_respond(request, &(HttpResponse){.status = status,
                                          .content_type = error_content_type(shape),
                                          .body = buf_str(&body)});
}

void error_refuse_removebg(HttpRequest *request, unsigned status, const char *title,
                           const char *detail, void *context) {
    (void)context;
    refuse(request, status, title, detail, ERROR_SHAPE_REMOVEBG);
}

void error_refuse_photoroom(HttpRequest *request, unsigned status, const char *title,
                            const char *detail, void *context) {
    (void)context;
    refuse(request, status, title, detail, ERROR_SHAPE_PHOTOROOM);
}

void error_refuse_problem(HttpRequest *request, unsigned status, const char *title,
                          const char *detail, void *context) {
    (void)context;
    refuse(request, status, title, detail, ERROR_SHAPE_PROBLEM);
}
