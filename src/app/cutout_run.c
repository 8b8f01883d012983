/* SPDX-License-Identifier: Apache-2.0 */
#include "app/cutout_run.h"

#include "app/file_io.h"
#include "base/error.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_MS 100
/* The renderer answers a cancel at once; waiting longer would only hide that it is stuck. */
#define CANCEL_MS 5000

typedef struct Desk Desk;

/* One picture that is in memory. */
typedef struct Slot {
    Desk *desk;
    struct Slot *next_finished;
    bool used;
    size_t index;
    int input_fd;
    uint64_t ticket;
    RenderResult result; /* set by the renderer's thread before the slot is in the list */
    char detail[256];
} Slot;

/* A file, whatever names lead to it. */
typedef struct FileId {
    dev_t device;
    ino_t inode;
} FileId;

struct Desk {
    const CutoutRun *run;
    FileId *originals; /* all inputs, sorted */
    size_t n_originals;
    Slot *slots;
    size_t n_slots, n_used;
    size_t next; /* the input that is read next */
    bool interrupted;
    int bell; /* eventfd */
    pthread_mutex_t lock;
    Slot *finished; /* under the lock */
};

static const char *status_sentence(const RenderResult *result) {
    static const char *const sentences[_RENDER_STATUS_MAX] = {
        [RENDER_UNSUPPORTED] = "this is no picture of a format that can be read",
        [RENDER_UNREADABLE] = "the picture is broken",
        [RENDER_TOO_LARGE] = "the picture is too large",
        [RENDER_BACKGROUND_UNREADABLE] = "the background picture cannot be read",
        [RENDER_NO_FOREGROUND] = "no subject was found",
        [RENDER_ROI_EXCEEDS_BOUNDS] = "the region does not lie in the picture",
        [RENDER_ROI_EMPTY] = "the region has no pixel",
        [RENDER_UNKNOWN_MODEL] = "the model is not installed",
        [RENDER_BUSY] = "there is too much to do",
        [RENDER_TIMEOUT] = "it took too long",
        [RENDER_CRASHED] = "the picture made its worker crash",
        [RENDER_CANCELLED] = "cancelled",
        [RENDER_FAULT] = "something failed inside; --log-level debug tells more",
    };

    return result->detail && result->detail[0] ? result->detail : sentences[result->status];
}

/* On a thread of the renderer. */
static void job_done(const RenderResult *result, void *userdata) {
    Slot *slot = userdata;
    Desk *desk = slot->desk;
    const uint64_t one = 1;

    slot->result = *result;
    slot->result.output_fd = TAKE_FD(((RenderResult *)result)->output_fd);
    if (result->status != RENDER_OK) {
        snprintf(slot->detail, sizeof(slot->detail), "%s", status_sentence(result));
    }
    pthread_mutex_lock(&desk->lock);
    slot->next_finished = desk->finished;
    desk->finished = slot;
    pthread_mutex_unlock(&desk->lock);
    if (write(desk->bell, &one, sizeof(one)) < 0) {
        return; /* the counter is full, so the bell rings anyway */
    }
}

static void report_failure(Desk *desk, size_t index, const char *status, const char *detail) {
    progress_event(desk->run->progress, &(ProgressEvent){.input = desk->run->inputs[index].path,
                                                         .status = status,
                                                         .detail = detail});
}

static int compare_ids(const void *a, const void *b) {
    const FileId *first = a, *second = b;

    if (first->device != second->device) {
        return first->device < second->device ? -1 : 1;
    }
    return first->inode < second->inode ? -1 : first->inode > second->inode;
}

static int collect_originals(Desk *desk) {
    desk->originals = calloc(desk->run->n_inputs + 1, sizeof(*desk->originals));
    if (!desk->originals) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < desk->run->n_inputs; i++) {
        struct stat status;
        if (stat(desk->run->inputs[i].path, &status) == 0) {
            desk->originals[desk->n_originals++] = (FileId){status.st_dev, status.st_ino};
        }
    }
    qsort(desk->originals, desk->n_originals, sizeof(*desk->originals), compare_ids);
    return 0;
}

/* 0 when a file can be made or replaced in the folder of `path`, or why not. */
static int check_folder_of(const char *path) {
    _cleanup_(buf_done) Buf folder = BUF_INIT;
    const char *slash = strrchr(path, '/');

    buf_addf(&folder, "%.*s.", slash ? (int)(slash + 1 - path) : 0, path);
    return access(folder.data, W_OK | X_OK) < 0 ? err_errno() : 0;
}

/* Whether something lies in the way, seen before any work is done; then that is reported. */
static bool refuse(Desk *desk, size_t index) {
    const char *output = desk->run->outputs[index];
    char detail[256];
    struct stat status;
    FileId id;
    int r;

    if (strcmp(output, "-") == 0) {
        return false;
    }
    if (stat(output, &status) == 0) {
        id = (FileId){status.st_dev, status.st_ino};
        if (bsearch(&id, desk->originals, desk->n_originals, sizeof(id), compare_ids)) {
            report_failure(desk, index, "exists", "the output would replace an input");
            return true;
        }
        if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
            return false; /* a device or a pipe takes what comes */
        }
        if (!desk->run->force) {
            report_failure(desk, index, "exists",
                           "the output exists already; --force overwrites it");
            return true;
        }
    }
    r = check_folder_of(output);
    if (r < 0) {
        snprintf(detail, sizeof(detail), "cannot write %s: %s", output, strerror(-r));
        report_failure(desk, index, "unwritable", detail);
    }
    return r < 0;
}

static void free_slot(Desk *desk, Slot *slot) {
    slot->input_fd = fd_close(slot->input_fd);
    slot->result.output_fd = fd_close(slot->result.output_fd);
    slot->used = false;
    desk->n_used--;
}

/* Reads the next input and hands it over; what cannot be read is reported and passed by. */
static int start_next(Desk *desk, Slot *slot) {
    const CutoutRun *run = desk->run;
    size_t index = desk->next++;
    RenderJob job = {.op = RENDER_RENDER, .background = run->background, .recipe = *run->recipe};
    uint64_t len = 0;
    int fd = -1;
    int r;

    if (refuse(desk, index)) {
        return 0;
    }
    r = file_read_sealed(run->inputs[index].path, CUTOUT_FILE_MAX, run->signal_fd, &fd, &len);
    if (r == -EINTR) {
        desk->next = index; /* the signal is seen by the main loop */
        return 0;
    }
    if (r < 0 || len == 0) {
        report_failure(desk, index, "unreadable", r < 0 ? strerror(-r) : "the file is empty");
        return 0;
    }
    *slot = (Slot){.desk = desk, .used = true, .index = index, .input_fd = fd};
    slot->result.output_fd = -1;
    desk->n_used++;
    job.input = (RenderSource){.fd = fd, .len = len};
    r = renderer_submit(run->renderer, &job, job_done, slot, &slot->ticket);
    if (r < 0) {
        free_slot(desk, slot);
        return err_trace(r);
    }
    return 0;
}

static int start_more(Desk *desk) {
    for (size_t i = 0; i < desk->n_slots && desk->next < desk->run->n_inputs; i++) {
        struct pollfd signal = {.fd = desk->run->signal_fd, .events = POLLIN};
        int r = 0;
        if (poll(&signal, 1, 0) > 0) {
            return 0;
        }
        while (!desk->slots[i].used && desk->next < desk->run->n_inputs && r == 0 &&
               poll(&signal, 1, 0) == 0) {
            r = start_next(desk, &desk->slots[i]);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static void finish(Desk *desk, Slot *slot) {
    const CutoutRun *run = desk->run;
    const RenderResult *result = &slot->result;
    const char *output = run->outputs[slot->index];
    int r;

    if (result->status == RENDER_CANCELLED) {
        return;
    }
    if (result->status != RENDER_OK) {
        report_failure(desk, slot->index, render_status_names[result->status], slot->detail);
        return;
    }
    r = file_write(output, result->output_fd, result->output_len, run->force);
    if (r != 0) {
        snprintf(slot->detail, sizeof(slot->detail), "cannot write %s: %s", output,
                 r > 0 ? strerror(EEXIST) : strerror(-r));
        report_failure(desk, slot->index, r > 0 ? "exists" : "unwritable", slot->detail);
        return;
    }
    progress_event(run->progress, &(ProgressEvent){.input = run->inputs[slot->index].path,
                                                   .output = output,
                                                   .status = render_status_names[RENDER_OK],
                                                   .width = result->width,
                                                   .height = result->height,
                                                   .timings = result->timings});
}

/* Takes up what has ended, in the order it ended. */
static void finish_all(Desk *desk) {
    Slot *newest, *oldest = NULL;
    uint64_t count;

    if (read(desk->bell, &count, sizeof(count)) < 0) {
        return;
    }
    pthread_mutex_lock(&desk->lock);
    newest = desk->finished;
    desk->finished = NULL;
    pthread_mutex_unlock(&desk->lock);
    while (newest) {
        Slot *next = newest->next_finished;
        newest->next_finished = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        Slot *slot = oldest;
        oldest = slot->next_finished;
        if (!desk->interrupted) {
            finish(desk, slot);
        }
        free_slot(desk, slot);
    }
}

static void cancel_all(Desk *desk) {
    desk->interrupted = true;
    for (size_t i = 0; i < desk->n_slots; i++) {
        if (desk->slots[i].used) {
            renderer_cancel(desk->run->renderer, desk->slots[i].ticket);
        }
    }
}

static int loop(Desk *desk) {
    struct pollfd fds[] = {{.fd = desk->bell, .events = POLLIN},
                           {.fd = desk->run->signal_fd, .events = POLLIN}};

    for (;;) {
        int r = desk->interrupted ? 0 : start_more(desk);
        int ready;
        if (r < 0) {
            return r;
        }
        if (desk->n_used == 0 && (desk->interrupted || desk->next == desk->run->n_inputs)) {
            return desk->interrupted ? CUTOUT_E_INTERRUPTED : 0;
        }
        ready = poll(fds, desk->interrupted ? 1 : 2, desk->interrupted ? CANCEL_MS : TICK_MS);
        if (ready < 0 && errno != EINTR) {
            return err_trace(err_errno());
        }
        if (ready == 0 && desk->interrupted) {
            return CUTOUT_E_INTERRUPTED;
        }
        if (ready > 0 && fds[0].revents) {
            finish_all(desk);
        }
        if (ready > 0 && !desk->interrupted && fds[1].revents) {
            cancel_all(desk);
        }
        progress_tick(desk->run->progress);
    }
}

int cutout_run(const CutoutRun *run) {
    Desk desk = {.run = run, .n_slots = (size_t)run->jobs * 2};
    int r;

    pthread_mutex_init(&desk.lock, NULL);
    desk.slots = calloc(desk.n_slots, sizeof(*desk.slots));
    desk.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = desk.bell < 0 ? err_errno() : desk.slots ? collect_originals(&desk) : -ENOMEM;
    if (r == 0) {
        r = loop(&desk);
    }
    /* Nothing of the renderer may call back once the desk is gone. */
    renderer_drain(run->renderer, 0);
    renderer_free(run->renderer);
    for (size_t i = 0; desk.slots && i < desk.n_slots; i++) {
        if (desk.slots[i].used) {
            free_slot(&desk, &desk.slots[i]);
        }
    }
    pthread_mutex_destroy(&desk.lock);
    free(desk.slots);
    free(desk.originals);
    fd_close(desk.bell);
    return r;
}
