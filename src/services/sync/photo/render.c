/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/render.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/wait.h"

#include <pthread.h>
#include <stdio.h>

struct Renders {
    Renderer *renderer;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done, stopped;
    uint64_t ticket; /* of the job under way; 0: none */
    Rendering *rendering;
};

void rendering_done(Rendering *rendering) {
    rendering->mezzanine.fd = fd_close(rendering->mezzanine.fd);
    rendering->thumbnail.fd = fd_close(rendering->thumbnail.fd);
}

Renders *renders_new(Renderer *renderer) {
    Renders *renders = calloc(1, sizeof(*renders));

    if (!renders) {
        abort();
    }
    renders->renderer = renderer;
    pthread_mutex_init(&renders->lock, NULL);
    pthread_cond_init(&renders->ended, NULL);
    return renders;
}

Renders *renders_free(Renders *renders) {
    if (renders) {
        pthread_cond_destroy(&renders->ended);
        pthread_mutex_destroy(&renders->lock);
        free(renders);
    }
    return NULL;
}

static void on_done(const RenderResult *result, void *userdata) {
    Renders *renders = userdata;
    Rendering *rendering = renders->rendering;

    pthread_mutex_lock(&renders->lock);
    rendering->status = result->status;
    rendering->retry_after_s = result->retry_after_s;
    snprintf(rendering->detail, sizeof(rendering->detail), "%s",
             result->detail ? result->detail : "");
    rendering->info = result->info;
    if (result->status == RENDER_OK) {
        rendering->film = result->film;
        rendering->raw = result->raw;
        rendering->photo = result->photo;
        rendering->hash = result->hash;
        rendering->mezzanine = result->mezzanine;
        rendering->thumbnail = result->thumbnail;
        TAKE_FD(((RenderResult *)result)->mezzanine.fd);
        TAKE_FD(((RenderResult *)result)->thumbnail.fd);
    }
    renders->done = true;
    pthread_cond_signal(&renders->ended);
    pthread_mutex_unlock(&renders->lock);
}

/* Until it is done, or the time of a tick has come: false. */
static bool wait(Renders *renders) {
    uint64_t until_ms = clock_mono_ms() + (uint64_t)RENDERS_TICK_S * 1000;
    bool done;

    pthread_mutex_lock(&renders->lock);
    while (!renders->done && wait_until(&renders->ended, &renders->lock, until_ms)) {
    }
    done = renders->done;
    if (done) {
        renders->ticket = 0;
    }
    pthread_mutex_unlock(&renders->lock);
    return done;
}

int renders_run(Renders *renders, RenderOp op, const RenderSource *input, uint32_t orientation,
                RendersTick *tick, void *userdata, Rendering *ret_rendering) {
    RenderJob job = {.op = op,
                     .input = *input,
                     .background = {.fd = -1},
                     .recipe = RECIPE_INIT,
                     .ingest = RENDER_INGEST_DEFAULT,
                     .priority = -1}; /* whoever waits for a picture comes first */
    uint64_t ticket = 0;
    bool stopped;
    int r;

    job.ingest.orientation = orientation;
    *ret_rendering = RENDERING_NONE;
    renders->done = false;
    renders->rendering = ret_rendering;
    r = renderer_submit(renders->renderer, &job, on_done, renders, &ticket);
    if (r < 0) {
        return err_trace(r);
    }
    pthread_mutex_lock(&renders->lock);
    renders->ticket = ticket;
    stopped = renders->stopped;
    pthread_mutex_unlock(&renders->lock);
    if (stopped) {
        renderer_cancel(renders->renderer, ticket);
    }
    while (!wait(renders)) {
        tick(userdata);
    }
    return 0;
}

void renders_stop(Renders *renders) {
    uint64_t ticket;

    pthread_mutex_lock(&renders->lock);
    renders->stopped = true;
    ticket = renders->ticket;
    pthread_mutex_unlock(&renders->lock);
    if (ticket != 0) {
        renderer_cancel(renders->renderer, ticket);
    }
}
