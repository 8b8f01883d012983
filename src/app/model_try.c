/* SPDX-License-Identifier: Apache-2.0 */
#include "app/model_try.h"

#include "app/registry.h"
#include "base/error.h"
#include "base/fd.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A red disc on light grey, 64 x 64, PNG with a palette. */
static const uint8_t picture[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00, 0x40, 0x01, 0x03, 0x00, 0x00, 0x00, 0x90, 0xa7, 0xe3,
    0x9d, 0x00, 0x00, 0x00, 0x06, 0x50, 0x4c, 0x54, 0x45, 0xeb, 0xeb, 0xe6, 0xb4, 0x28, 0x1e, 0x10,
    0xf1, 0x7f, 0xa1, 0x00, 0x00, 0x00, 0x7c, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0xbd, 0xd0, 0xb1,
    0x0d, 0x83, 0x40, 0x10, 0x44, 0xd1, 0x77, 0x7b, 0x48, 0x26, 0xa4, 0x03, 0x5c, 0x0a, 0xee, 0xc4,
    0x9d, 0xb8, 0xb5, 0x2b, 0x85, 0x12, 0x2e, 0x24, 0x40, 0xe0, 0x00, 0xcb, 0x02, 0x09, 0x67, 0xc8,
    0x13, 0x8d, 0x66, 0xe7, 0x07, 0x3b, 0xfc, 0x57, 0xb7, 0xfa, 0x31, 0xfd, 0x8c, 0xc0, 0x33, 0x23,
    0xa3, 0x48, 0x45, 0x90, 0x18, 0x08, 0x82, 0x3b, 0x41, 0x43, 0x47, 0xd0, 0xd2, 0x12, 0x74, 0x34,
    0x1b, 0x8e, 0x5d, 0x73, 0x9f, 0x7c, 0xcd, 0x40, 0x3a, 0x3b, 0x65, 0x0a, 0x52, 0x39, 0xa5, 0x2e,
    0x31, 0x19, 0x03, 0x8f, 0xf3, 0x4e, 0x61, 0xfd, 0x81, 0x8f, 0x2c, 0xc7, 0xa4, 0x32, 0x13, 0x4c,
    0x4c, 0x04, 0x33, 0x95, 0x60, 0x61, 0x24, 0x58, 0xb7, 0x8f, 0xf0, 0x5a, 0xf7, 0x3b, 0x1f, 0x96,
    0xbf, 0x54, 0x6f, 0xc9, 0x47, 0x17, 0xd8, 0xdd, 0x73, 0xab, 0x46, 0x00, 0x00, 0x00, 0x00, 0x49,
    0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};

typedef struct Trial {
    int bell; /* eventfd */
    RenderStatus status;
    RenderTimings timings;
    char detail[256];
} Trial;

static void trial_done(const RenderResult *result, void *userdata) {
    Trial *trial = userdata;
    const uint64_t one = 1;

    trial->status = result->status;
    trial->timings = result->timings;
    snprintf(trial->detail, sizeof(trial->detail), "%s", result->detail ? result->detail : "");
    if (write(trial->bell, &one, sizeof(one)) < 0) {
        return;
    }
}

static void signals_of(sigset_t *ret_set) {
    sigemptyset(ret_set);
    sigaddset(ret_set, SIGINT);
    sigaddset(ret_set, SIGTERM);
    sigaddset(ret_set, SIGHUP);
}

void model_try_block_signals(void) {
    sigset_t set;

    signals_of(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Waits for the end of the trial or a signal. 0 or -EINTR. */
static int wait_for(const Trial *trial) {
    _cleanup_(fd_closep) int signals = -1;
    sigset_t set;
    struct pollfd fds[2];

    signals_of(&set);
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    fds[0] = (struct pollfd){.fd = trial->bell, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = signals, .events = POLLIN};
    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR) {
            return err_trace(err_errno());
        }
    }
    return fds[0].revents ? 0 : -EINTR;
}

static int memory_picture(int *ret_fd) {
    _cleanup_(fd_closep) int fd = -1;
    int r = fd_memory_new("trial", &fd);

    if (r < 0) {
        return err_trace(r);
    }
    r = fd_write_all(fd, picture, sizeof(picture));
    if (r < 0) {
        return err_trace(r);
    }
    r = fd_memory_seal(fd);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int run(const PoolOptions *pool, Trial *trial, int fd) {
    Renderer *renderer = NULL;
    RenderJob job = {.op = RENDER_RENDER,
                     .input = {.fd = fd, .len = sizeof(picture)},
                     .background = {.fd = -1},
                     .recipe = RECIPE_INIT};
    uint64_t ticket = 0;
    int r = renderer_pool_new(pool, &renderer);

    if (r < 0) {
        return err_trace(r);
    }
    job.recipe.channels = RECIPE_CHANNELS_ALPHA;
    job.recipe.format = OUTPUT_FORMAT_PNG;
    r = renderer_submit(renderer, &job, trial_done, trial, &ticket);
    if (r == 0) {
        r = wait_for(trial);
    }
    /* Ends the job if it still runs, so that nobody rings a bell that is gone. */
    renderer_free(renderer);
    return r;
}

int model_try(const Settings *settings, const char *models_dir, const char *name, Arena *arena,
              double *ret_ms, const char **reterr_text) {
    _cleanup_(fd_closep) int fd = -1;
    Trial trial = {.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    PoolOptions pool = registry_pool_options(settings);
    int r = trial.bell < 0 ? err_errno() : memory_picture(&fd);

    *reterr_text = "";
    pool.workers = 1;
    pool.models_dir = models_dir;
    pool.model = name;
    pool.matte_cache_max = 0;
    if (r == 0) {
        r = run(&pool, &trial, fd);
    }
    fd_close(trial.bell);
    if (r < 0) {
        *reterr_text = arena_strdup(arena, str_from(strerror(-r)));
        return r;
    }
    /* That it finds nothing in a disc says little of a model; that it ran is what counts. */
    if (trial.status != RENDER_OK && trial.status != RENDER_NO_FOREGROUND) {
        *reterr_text = arena_printf(arena, "%s%s%s", render_status_names[trial.status],
                                    trial.detail[0] ? ": " : "", trial.detail);
        return -EIO;
    }
    *ret_ms = trial.timings.inference;
    return 0;
}
