/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/renderer/pool_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <assert.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define JOB_MEAN_WEIGHT 0.1

static uint32_t source_of(const Pool *pool, const Worker *worker) {
    return POOL_SOURCE_WORKER + (uint32_t)(worker - pool->workers);
}

static uint64_t back_off_ms(unsigned failures) {
    return failures < 2 ? 0 : MIN((uint64_t)BACK_OFF_MS << MIN(failures - 2, 10u), BACK_OFF_MAX);
}

bool worker_idle(const Worker *worker) {
    return worker->ready && !worker->condemned && !worker->job;
}

static int start(Pool *pool, Worker *worker, uint64_t now_ms) {
    ChildMessage message = {.op = CHILD_START,
                            .log_level = pool->options.log_level,
                            .threads = pool->options.worker_threads,
                            .memory_max = pool->options.worker_memory_max};
    int r = process_start(pool->options.binary, "worker", &worker->process);

    if (r < 0) {
        return r;
    }
    worker->started_ms = now_ms;
    r = pool_watch(pool, &worker->process, source_of(pool, worker));
    if (r == 0) {
        r = process_send(&worker->process, &message, NULL, 0);
    }
    if (r < 0) {
        process_end(&worker->process);
    }
    return r;
}

void worker_keep_up(Pool *pool, Worker *worker, uint64_t now_ms) {
    if (worker->process.pid > 0 || now_ms < worker->start_at_ms) {
        return;
    }
    worker->condemned = false;
    if (start(pool, worker, now_ms) < 0) {
        worker->failures++;
        worker->start_at_ms = now_ms + back_off_ms(worker->failures + 1);
    }
}

/* Memory that both the worker and the inference process map; neither can resize it. */
static int prepare_tensor(Worker *worker, const ModelSize *model) {
    uint32_t width, height;
    int r;

    assert(model);
    if (worker->tensor >= 0 && (model->width == 0 || (worker->tensor_width == model->width &&
                                                      worker->tensor_height == model->height))) {
        return 0;
    }
    width = MAX(model->width, 1u);
    height = MAX(model->height, 1u);
    worker->tensor = fd_close(worker->tensor);
    r = fd_memory_new_sized("tensor", tensor_layout(width, height).size, &worker->tensor);
    if (r < 0) {
        return r;
    }
    worker->tensor_width = width;
    worker->tensor_height = height;
    return 0;
}

static int send_ingest(Worker *worker, ChildMessage *message, const RenderJob *render) {
    int r;

    if ((r = fd_memory_new("mezzanine", &worker->output)) < 0 ||
        (r = fd_memory_new("thumbnail", &worker->thumbnail)) < 0) {
        return r;
    }
    message->op = CHILD_INGEST;
    message->ingest = render->ingest;
    return process_send(&worker->process, message,
                        (int[]){render->input.fd, worker->output, worker->thumbnail}, 3);
}

static int send_job(Pool *pool, Worker *worker, Job *job, const ModelSize *model) {
    const RenderJob *render = &job->render;
    ChildMessage message = {.op = job->probing ? CHILD_PROBE : CHILD_RENDER,
                            .id = job->ticket,
                            .input_offset = render->input.offset,
                            .input_len = render->input.len,
                            .has_background = render->background.fd >= 0,
                            .background_offset = render->background.offset,
                            .background_len = render->background.len,
                            .pixels_max = pool->options.pixels_max,
                            .side_max = pool->options.side_max,
                            .pages_max = pool->options.pages_max,
                            .recipe = render->recipe};
    int r;

    if (job->probing) {
        const RenderSource *source = job_to_probe(job);
        message.input_offset = source->offset;
        message.input_len = source->len;
        return process_send(&worker->process, &message, &source->fd, 1);
    }
    if (render->op == RENDER_INGEST) {
        return send_ingest(worker, &message, render);
    }
    if (render->op == RENDER_METADATA) {
        message.op = CHILD_METADATA;
        return process_send(&worker->process, &message, &render->input.fd, 1);
    }
    if ((r = prepare_tensor(worker, model)) < 0 ||
        (r = fd_memory_new("rendition", &worker->output)) < 0) {
        return r;
    }
    message.model_width = worker->tensor_width;
    message.model_height = worker->tensor_height;
    return process_send(
        &worker->process, &message,
        (int[]){render->input.fd, worker->tensor, worker->output, render->background.fd},
        message.has_background ? 4 : 3);
}

void worker_give(Pool *pool, Worker *worker, Job *job, const ModelSize *model) {
    uint64_t now_us = clock_mono_us();
    int r;

    job->probing = job_to_probe(job) != NULL;
    job->matte = MATTE_NONE;
    job->matte_status = RENDER_OK;
    job->started_us = now_us;
    job->queue_ms += (double)(now_us - job->waiting_us) / 1000.0;
    worker->job = job;
    worker->deadline_ms = now_us / 1000 + pool->options.job_timeout_ms;
    pool->running++;
    pool->memory_admitted += job->probing ? 0 : job->render.memory;
    r = process_limit_cpu(&worker->process, pool->options.job_cpu_s);
    if (r == 0) {
        r = send_job(pool, worker, job, model);
    }
    if (r < 0) {
        /* It is dying, or does not read: its end gives the job another worker. */
        process_kill(&worker->process);
    }
}

/* The job leaves the worker, and its memory the books. */
static Job *detach(Pool *pool, Worker *worker) {
    Job *job = TAKE_PTR(worker->job);

    worker->output = fd_close(worker->output);
    worker->thumbnail = fd_close(worker->thumbnail);
    pool->running--;
    pool->memory_admitted -= job->probing ? 0 : job->render.memory;
    job->waiting_us = clock_mono_us();
    return job;
}

Job *worker_condemn(Pool *pool, Worker *worker) {
    worker->condemned = true;
    worker->ready = false;
    process_kill(&worker->process);
    inference_forget(pool, worker);
    return worker->job ? detach(pool, worker) : NULL;
}

/* Whatever it did wrong, its end is handled where all ends are. */
static void kill_for(Worker *worker, const char *reason) {
    log_debug("worker killed", LOG_STR("reason", reason),
              LOG_STR("request_id", worker->job ? worker->job->render.request_id : NULL));
    worker->ready = false;
    worker->process.socket = fd_close(worker->process.socket);
    process_kill(&worker->process);
}

void worker_answer_matte(Pool *pool, Worker *worker, RenderStatus status) {
    (void)pool;
    worker->job->matte = MATTE_GIVEN;
    worker->job->matte_status = status;
    if (process_send(
            &worker->process,
            &(ChildMessage){.op = CHILD_MATTE, .id = worker->job->ticket, .status = (int)status},
            NULL, 0) < 0) {
        kill_for(worker, "does not read");
    }
}

static bool matte_from_cache(Pool *pool, Worker *worker) {
    TensorLayout layout = tensor_layout(worker->tensor_width, worker->tensor_height);
    uint64_t pixels = (uint64_t)worker->tensor_width * worker->tensor_height;
    Job *job = worker->job;
    bool found = false;
    char *base;

    if (!pool->mattes) {
        return false;
    }
    base = mmap(NULL, layout.size, PROT_READ | PROT_WRITE, MAP_SHARED, worker->tensor, 0);
    if (base == MAP_FAILED) {
        return false;
    }
    job->has_key = matte_key((const uint8_t *)base, worker->tensor_width, worker->tensor_height,
                             job->model, &job->key) == 0;
    if (job->has_key) {
        found = matte_cache_get(pool->mattes, &job->key,
                                (float *)(void *)(base + layout.matte_offset), pixels);
    }
    munmap(base, layout.size);
    return found;
}

static int on_matte(Pool *pool, Worker *worker) {
    Job *job = worker->job;

    if (job->probing || !job_needs_model(job) || job->matte != MATTE_NONE) {
        return -EBADMSG;
    }
    if (matte_from_cache(pool, worker)) {
        job->result.matte_kept = true;
        worker_answer_matte(pool, worker, RENDER_OK);
        return 0;
    }
    job->matte = MATTE_WAITING;
    job->waiting_us = clock_mono_us();
    return 0;
}

static int on_probed(Pool *pool, Worker *worker, const ChildMessage *message) {
    Job *job = worker->job;

    if (!job->probing) {
        return -EBADMSG;
    }
    job = detach(pool, worker);
    if (job->render.op == RENDER_PROBE || job->render.memory == 0) {
        job->result.info = message->info;
        job->render.memory = job_memory(job, &message->info);
    } else {
        /* Some codecs hold all of it, however little is seen in the end. */
        job->background_known = true;
        job->render.memory += message->info.memory;
    }
    if (job->render.op == RENDER_PROBE) {
        job_finish(pool, job, RENDER_OK, NULL);
    } else if (job->render.memory > pool->options.memory_max) {
        job_finish(pool, job, RENDER_TOO_LARGE, "The picture needs more memory than is allowed.");
    } else {
        queue_insert(pool, job);
    }
    return 0;
}

/* Makes sure that what was written can never change, before anybody looks at it. */
static int take_output(int *fd, uint64_t len, int format, int *ret_fd) {
    struct stat status;

    if (len > OUTPUT_LEN_MAX || format == OUTPUT_FORMAT_AUTO || fd_memory_seal(*fd) < 0 ||
        fstat(*fd, &status) < 0 || (uint64_t)status.st_size != len) {
        return -EBADMSG;
    }
    *ret_fd = TAKE_FD(*fd);
    return 0;
}

static void count_time(Pool *pool, const Job *job) {
    double ms = (double)(clock_mono_us() - job->started_us) / 1000.0;

    pool->job_ms += (ms - pool->job_ms) * JOB_MEAN_WEIGHT;
}

static int on_done(Pool *pool, Worker *worker, const ChildMessage *message) {
    Job *job = worker->job;
    RenderResult *result = &job->result;

    if (job->probing || job->render.op != RENDER_RENDER || job->matte == MATTE_WAITING ||
        job->matte == MATTE_RUNNING || job->matte_status != RENDER_OK ||
        take_output(&worker->output, message->output_len, message->format, &result->output_fd) <
            0) {
        return -EBADMSG;
    }
    job = detach(pool, worker);
    count_time(pool, job);
    result->output_len = message->output_len;
    result->info = message->info;
    result->format = (OutputFormat)message->format;
    result->width = message->width;
    result->height = message->height;
    result->foreground = message->foreground;
    result->input_width = message->input_width;
    result->input_height = message->input_height;
    result->subject = (RecipeSubject)message->subject;
    result->uncertainty = message->uncertainty;
    result->timings = message->timings;
    job_finish(pool, job, RENDER_OK, NULL);
    return 0;
}

static int take_file(int *fd, const ChildFile *said, uint32_t side_max, RenderFile *ret_file) {
    RenderFile file = {.len = said->len,
                       .format = (OutputFormat)said->format,
                       .width = said->width,
                       .height = said->height};
    int r = MAX(said->width, said->height) > side_max
                ? -EBADMSG
                : take_output(fd, said->len, said->format, &file.fd);

    if (r == 0) {
        *ret_file = file;
    }
    return r;
}

static int on_ingested(Pool *pool, Worker *worker, const ChildMessage *message) {
    Job *job = worker->job;
    RenderResult *result = &job->result;
    const RenderIngest *sides = &job->render.ingest;
    RenderFile mezzanine = RENDER_FILE_NONE, thumbnail;

    if (job->probing || job->render.op != RENDER_INGEST ||
        take_file(&worker->output, &message->mezzanine, sides->mezzanine_max, &mezzanine) < 0) {
        return -EBADMSG;
    }
    if (take_file(&worker->thumbnail, &message->thumbnail, sides->thumbnail_max, &thumbnail) < 0) {
        fd_close(mezzanine.fd); /* the job has another try, with new files */
        return -EBADMSG;
    }
    job = detach(pool, worker);
    count_time(pool, job);
    result->info = message->info;
    result->photo = message->photo;
    result->hash = (uint64_t)message->hash_high << 32 | message->hash_low;
    result->mezzanine = mezzanine;
    result->thumbnail = thumbnail;
    result->timings = message->timings;
    job_finish(pool, job, RENDER_OK, NULL);
    return 0;
}

static int on_described(Pool *pool, Worker *worker, const ChildMessage *message) {
    Job *job = worker->job;
    uint64_t len = job->render.input.len;

    if (job->render.op != RENDER_METADATA || message->raw.preview_offset > len ||
        message->raw.preview_len > len - message->raw.preview_offset) {
        return -EBADMSG;
    }
    job = detach(pool, worker);
    job->result.film = message->film;
    job->result.raw = message->raw;
    job->result.photo = message->photo;
    job_finish(pool, job, RENDER_OK, NULL);
    return 0;
}

static bool may_refuse_with(int status) {
    return (status >= RENDER_UNSUPPORTED && status <= RENDER_ROI_EMPTY) || status == RENDER_FAULT;
}

static int on_refused(Pool *pool, Worker *worker, const ChildMessage *message) {
    Job *job = worker->job;
    int status = message->status;

    if (!may_refuse_with(status) || job->matte == MATTE_WAITING || job->matte == MATTE_RUNNING) {
        return -EBADMSG;
    }
    /* It was refused because there was no matte, and we know why. */
    if (job->matte_status != RENDER_OK) {
        status = job->matte_status;
    } else if (job->probing && job_to_probe(job) == &job->render.background) {
        status = status == RENDER_FAULT ? RENDER_FAULT : RENDER_BACKGROUND_UNREADABLE;
    }
    job_finish(pool, detach(pool, worker), (RenderStatus)status, message->detail);
    return 0;
}

static int on_packet(Pool *pool, Worker *worker, const IpcPacket *packet) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    ChildMessage message;
    int r = child_message_read(packet->json, arena, &message);

    if (r < 0 || packet->n_fds > 0) {
        return -EBADMSG;
    }
    if (message.op == CHILD_READY) {
        if (worker->ready) {
            return -EBADMSG;
        }
        worker->ready = true;
        worker->failures = 0;
        return 0;
    }
    if (!worker->job || message.id != worker->job->ticket) {
        return -EBADMSG;
    }
    switch (message.op) {
    case CHILD_MATTE:
        return on_matte(pool, worker);
    case CHILD_PROBED:
        return on_probed(pool, worker, &message);
    case CHILD_DONE:
        return on_done(pool, worker, &message);
    case CHILD_INGESTED:
        return on_ingested(pool, worker, &message);
    case CHILD_DESCRIBED:
        return on_described(pool, worker, &message);
    case CHILD_REFUSED:
        return on_refused(pool, worker, &message);
    default:
        return -EBADMSG;
    }
}

void worker_on_socket(Pool *pool, Worker *worker) {
    while (worker->process.socket >= 0 && !worker->condemned) {
        _cleanup_(ipc_packet_done) IpcPacket packet = IPC_PACKET_INIT;
        int r = ipc_recv(worker->process.socket, &packet);
        if (r == IPC_E_EMPTY) {
            return;
        }
        if (r == 0) {
            r = on_packet(pool, worker, &packet);
        }
        if (r != 0) {
            kill_for(worker, r < 0 ? "broke the protocol" : "closed its socket");
            return;
        }
    }
    /* Nothing that a condemned worker still says counts; do not be woken by it. */
    worker->process.socket = fd_close(worker->process.socket);
}

/* Its one job gets one more try, in a fresh worker. */
static void lose_job(Pool *pool, Worker *worker, int signal) {
    Job *job = detach(pool, worker);

    if (signal == SIGXCPU) {
        job_finish(pool, job, RENDER_TIMEOUT, "The picture took too much computing time.");
    } else if (++job->attempts < ATTEMPTS_MAX) {
        queue_insert(pool, job);
    } else {
        job_finish(pool, job, RENDER_CRASHED,
                   "The picture could not be processed: its worker failed twice.");
    }
}

void worker_on_end(Pool *pool, Worker *worker) {
    int signal;

    if (worker->process.pid == 0) {
        return;
    }
    /* What it said before it ended still counts. */
    worker_on_socket(pool, worker);
    if (process_bury(&worker->process, &signal) < 0) {
        return;
    }
    log_debug("worker gone", LOG_INT("signal", signal), LOG_BOOL("condemned", worker->condemned));
    if (!worker->ready && !worker->condemned && !worker->job) {
        worker->failures++;
    }
    worker->ready = false;
    worker->start_at_ms = clock_mono_ms() + back_off_ms(worker->failures);
    worker->tensor = fd_close(worker->tensor);
    pool->worker_restarts++;
    inference_forget(pool, worker);
    if (worker->job) {
        lose_job(pool, worker, signal);
    }
}

void worker_check_time(Pool *pool, Worker *worker, uint64_t now_ms) {
    if (worker->job && now_ms >= worker->deadline_ms) {
        job_finish(pool, worker_condemn(pool, worker), RENDER_TIMEOUT,
                   "The picture took too long to process.");
    } else if (worker->process.pid > 0 && !worker->ready && !worker->condemned &&
               now_ms >= worker->started_ms + START_MAX_MS) {
        process_kill(&worker->process);
    }
}

void worker_end(Worker *worker) {
    process_end(&worker->process);
    worker->output = fd_close(worker->output);
    worker->thumbnail = fd_close(worker->thumbnail);
    worker->tensor = fd_close(worker->tensor);
}
