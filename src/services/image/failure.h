/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Everything that can be wrong with a request, once, with its status, code and title; and the three
 * shapes in which it is told: remove.bg's, Photoroom's, and RFC 9457 for our own API.
 */

#include "base/http/server.h"
#include "core/ports/renderer.h"

typedef enum Failure {
    FAILURE_NONE,
    FAILURE_MISSING_SOURCE,
    FAILURE_MULTIPLE_SOURCES,
    FAILURE_MULTIPLE_BG_SOURCES,
    FAILURE_MALFORMED_BODY,
    FAILURE_INVALID_IMAGE_URL,
    FAILURE_INVALID_BG_IMAGE_URL,
    FAILURE_IMAGE_DOWNLOAD,
    FAILURE_BG_DOWNLOAD,
    FAILURE_READ_IMAGE,
    FAILURE_READ_BACKGROUND,
    FAILURE_FILE_TOO_LARGE,
    FAILURE_FILE_TYPE,
    FAILURE_RESOLUTION_TOO_HIGH,
    FAILURE_UNKNOWN_FOREGROUND,
    FAILURE_INVALID_BG_COLOR,
    FAILURE_INVALID_CHANNELS,
    FAILURE_INVALID_CROP,
    FAILURE_INVALID_CROP_MARGIN,
    FAILURE_INVALID_FORMAT,
    FAILURE_INVALID_POSITION,
    FAILURE_INVALID_ROI,
    FAILURE_ROI_EXCEEDS_BOUNDS,
    FAILURE_ROI_REGION_EMPTY,
    FAILURE_INVALID_SCALE,
    FAILURE_INVALID_SEMITRANSPARENCY,
    FAILURE_INVALID_ADD_SHADOW,
    FAILURE_INVALID_SHADOW_TYPE,
    FAILURE_INVALID_SHADOW_OPACITY,
    FAILURE_INVALID_SIZE,
    FAILURE_INVALID_TYPE,
    FAILURE_INVALID_TYPE_LEVEL,
    FAILURE_INVALID_DESPILL,
    FAILURE_INVALID_BLUR,
    FAILURE_INVALID_QUALITY,
    FAILURE_INVALID_MODEL,
    FAILURE_INVALID_TAG,
    FAILURE_INSUFFICIENT_CREDITS,
    FAILURE_MISSING_KEY,
    FAILURE_WRONG_KEY,
    FAILURE_KEY_SCOPE,
    FAILURE_FOREIGN_ORIGIN,
    FAILURE_RATE_LIMIT,
    FAILURE_DAILY_CAP,
    FAILURE_MONTHLY_CAP,
    FAILURE_BUSY,
    FAILURE_TIMEOUT,
    FAILURE_UNAVAILABLE,
    FAILURE_INTERNAL,
    _FAILURE_MAX,
} Failure;

typedef struct FailureInfo {
    unsigned status;
    const char *code, *title;
} FailureInfo;

const FailureInfo *failure_info(Failure failure);

/* What a render that did not succeed means to the one who asked. Not for RENDER_OK. */
Failure failure_of_render(RenderStatus status);

typedef enum ErrorShape {
    ERROR_SHAPE_REMOVEBG,  /* {"errors":[{"title","code","detail"}]} */
    ERROR_SHAPE_PHOTOROOM, /* {"detail","status_code","type"} */
    ERROR_SHAPE_PROBLEM,   /* RFC 9457, with `code` and `request_id` as members of our own */
} ErrorShape;

typedef struct ErrorText {
    unsigned status;
    const char *code, *title;
    const char *detail; /* may be NULL */
    const char *request_id;
} ErrorText;

void error_body(ErrorShape shape, const ErrorText *text, Buf *out);
const char *error_content_type(ErrorShape shape);

/* The server's own refusals (404, 405, 408, 413 ...), one HttpRefuse for each shape. */
HttpRefuse error_refuse_removebg, error_refuse_photoroom, error_refuse_problem;
