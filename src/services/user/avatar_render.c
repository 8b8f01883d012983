/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/avatar_render.h"

#include "base/error.h"
#include "base/fd.h"
#include "services/user/avatar_store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define SIDE       512
#define QUALITY    82
#define PIXELS_MAX 50000000ULL /* as of pictures that are cut out */
/* Who waits holds one of the threads that others sign in with. */
#define AT_A_TIME 2

/* What the renderer says, to the thread that waits. */
typedef struct Rendering {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;
    RenderStatus status;
    uint32_t retry_after_s;
    char detail[200];
    ImageInfo info;
    int output_fd;
    uint64_t output_len;
} Rendering;

static void rendering_done(Rendering *rendering) {
    fd_close(rendering->output_fd);
    pthread_cond_destroy(&rendering->ended);
    pthread_mutex_destroy(&rendering->lock);
}

static void on_done(const RenderResult *result, void *userdata) {
    Rendering *rendering = userdata;

    pthread_mutex_lock(&rendering->lock);
    rendering->status = result->status;
    rendering->retry_after_s = result->retry_after_s;
    snprintf(rendering->detail, sizeof(rendering->detail), "%s",
             result->detail ? result->detail : "");
    rendering->info = result->info;
    rendering->output_len = result->output_len;
    if (result->status == RENDER_OK && result->output_fd >= 0) {
        rendering->output_fd = TAKE_FD(((RenderResult *)result)->output_fd);
    }
    rendering->done = true;
    pthread_cond_signal(&rendering->ended);
    pthread_mutex_unlock(&rendering->lock);
}

static UserFailure busy(UserCall *call, uint32_t retry_after_s) {
    call->retry_after_s = MAX(retry_after_s, 1U);
    call->detail = "Many pictures are being read just now. Please try again in a moment.";
    return USER_FAILURE_UNAVAILABLE;
}

static UserFailure explain(UserCall *call, const Rendering *rendering) {
    if (rendering->detail[0]) {
        call->detail = arena_strdup(call->arena, str_from(rendering->detail));
    }
    switch (rendering->status) {
    case RENDER_UNSUPPORTED:
        return USER_FAILURE_FILE_TYPE;
    case RENDER_UNREADABLE:
    case RENDER_CRASHED: /* twice in a row: it is the picture that does it */
    case RENDER_TIMEOUT:
        return USER_FAILURE_READ_IMAGE;
    case RENDER_TOO_LARGE:
        return USER_FAILURE_RESOLUTION;
    case RENDER_BUSY:
    case RENDER_CANCELLED:
        return busy(call, rendering->retry_after_s);
    default:
        return user_call_fault(call, -EIO);
    }
}

static UserFailure read_output(UserCall *call, const Rendering *rendering, Str *ret_image) {
    size_t len = (size_t)rendering->output_len;
    char *bytes;
    int r;

    if (rendering->output_len > AVATAR_LEN_MAX) {
        return user_call_fault(call, -EFBIG);
    }
    bytes = arena_alloc(call->arena, len);
    r = fd_pread_all(rendering->output_fd, bytes, len, 0);
    if (r < 0) {
        return user_call_fault(call, r);
    }
    *ret_image = (Str){bytes, len};
    return USER_FAILURE_NONE;
}

/* One job of the renderer, waited for. */
static UserFailure run(UserCall *call, const RenderJob *job, Rendering *rendering) {
    uint64_t ticket;
    int r;

    rendering->done = false;
    r = renderer_submit(call->service->renderer, job, on_done, rendering, &ticket);
    if (r < 0) {
        return user_call_fault(call, r);
    }
    pthread_mutex_lock(&rendering->lock);
    while (!rendering->done) {
        pthread_cond_wait(&rendering->ended, &rendering->lock);
    }
    pthread_mutex_unlock(&rendering->lock);
    return rendering->status == RENDER_OK ? USER_FAILURE_NONE : explain(call, rendering);
}

static UserFailure render(UserCall *call, Str *ret_image) {
    _cleanup_(rendering_done) Rendering rendering = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER, .output_fd = -1};
    RenderJob job = {
        .op = RENDER_PROBE,
        .input = {http_request_body_fd(call->request), 0, http_request_body(call->request).len},
        .background = {.fd = -1},
        .recipe = RECIPE_INIT,
        .request_id = http_request_id(call->request)};
    UserFailure failure;

    job.recipe.square = SIDE;
    job.recipe.format = OUTPUT_FORMAT_WEBP;
    job.recipe.quality = QUALITY;
    failure = run(call, &job, &rendering);
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if ((uint64_t)rendering.info.width * rendering.info.height > PIXELS_MAX) {
        call->detail = "Give a picture of at most 50 megapixels.";
        return USER_FAILURE_RESOLUTION;
    }
    job.op = RENDER_RENDER;
    job.memory = render_memory(&job.recipe, &rendering.info);
    failure = run(call, &job, &rendering);
    return failure == USER_FAILURE_NONE ? read_output(call, &rendering, ret_image) : failure;
}

UserFailure avatar_render(UserCall *call, Str *ret_image) {
    UserService *service = call->service;
    UserFailure failure;

    if (!service->renderer) {
        call->detail = "This part of the service reads no pictures: ask its operator.";
        return USER_FAILURE_NO_RENDERER;
    }
    if (http_request_body(call->request).len == 0) {
        call->detail = "Send the picture itself as the body.";
        return USER_FAILURE_MALFORMED_BODY;
    }
    failure = atomic_fetch_add(&service->avatars_rendered, 1) < AT_A_TIME ? render(call, ret_image)
                                                                          : busy(call, 1);
    atomic_fetch_sub(&service->avatars_rendered, 1);
    return failure;
}
