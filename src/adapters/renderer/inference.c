/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/renderer/pool_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <sys/mman.h>

static ModelSize *find_model(Inference *inference, const char *name) {
    for (size_t i = 0; i < MODELS_MAX; i++) {
        if (strcmp(inference->models[i].name, name) == 0) {
            return &inference->models[i];
        }
    }
    return NULL;
}

static int ask(Pool *pool, const char *name) {
    return process_send(&pool->inference.process,
                        &(ChildMessage){.op = CHILD_DESCRIBE, .model = name}, NULL, 0);
}

const ModelSize *inference_model(Pool *pool, const char *name) {
    Inference *self = &pool->inference;
    ModelSize *model = find_model(self, name);

    if (model || self->process.pid == 0) {
        return model && model->width > 0 ? model : NULL;
    }
    model = find_model(self, "");
    if (!model) {
        /* Sizes are cheap to ask for again; the first place is the default model's. */
        model = &self->models[1];
    }
    if (ask(pool, name) == 0) {
        *model = (ModelSize){0};
        snprintf(model->name, sizeof(model->name), "%s", name);
    }
    return NULL;
}

static int start(Pool *pool) {
    Inference *self = &pool->inference;
    ChildMessage message = {.op = CHILD_START,
                            .log_level = pool->options.log_level,
                            .threads = pool->options.inference_threads,
                            .models_dir = pool->options.models_dir,
                            .model = pool->options.model,
                            .cache_dir = pool->options.cache_dir};
    int r = process_start(pool->options.binary, "inference", &self->process);

    if (r < 0) {
        return r;
    }
    r = pool_watch(pool, &self->process, POOL_SOURCE_INFERENCE);
    if (r == 0) {
        r = process_send(&self->process, &message, NULL, 0);
    }
    if (r < 0) {
        process_end(&self->process);
    }
    return r;
}

static uint64_t back_off_ms(unsigned failures) {
    return failures < 2 ? 0 : MIN((uint64_t)BACK_OFF_MS << MIN(failures - 2, 10u), BACK_OFF_MAX);
}

void inference_keep_up(Pool *pool, uint64_t now_ms) {
    Inference *self = &pool->inference;

    if (self->process.pid > 0 || now_ms < self->start_at_ms) {
        return;
    }
    if (start(pool) < 0) {
        self->failures++;
        self->start_at_ms = now_ms + back_off_ms(self->failures + 1);
        return;
    }
    /* The new process tells the default model's size unasked; other questions died with the old. */
    for (size_t i = 0; i < MODELS_MAX; i++) {
        if (self->models[i].width == 0) {
            self->models[i] = (ModelSize){0};
        }
    }
    if (!find_model(self, pool->options.model)) {
        snprintf(self->models[0].name, sizeof(self->models[0].name), "%s", pool->options.model);
    }
}

static void fail_waiting(Pool *pool, const char *model, RenderStatus status, const char *detail) {
    for (Job *job = pool->queue, *next; job; job = next) {
        next = job->next;
        if (job_needs_model(job) && (!model || strcmp(job->model, model) == 0)) {
            job_finish(pool, queue_remove(pool, job->ticket), status, detail);
        }
    }
}

static int on_model(Pool *pool, const ChildMessage *message) {
    ModelSize *model = find_model(&pool->inference, message->model);

    if (!model) {
        return 0; /* asked for so long ago that its place was given away */
    }
    if (message->op == CHILD_MODEL) {
        model->width = message->model_width;
        model->height = message->model_height;
        return 0;
    }
    *model = (ModelSize){0};
    fail_waiting(pool, message->model, RENDER_UNKNOWN_MODEL, "The model is not installed.");
    return 0;
}

static void remember_matte(Pool *pool, const Worker *worker) {
    TensorLayout layout = tensor_layout(worker->tensor_width, worker->tensor_height);
    uint64_t pixels = (uint64_t)worker->tensor_width * worker->tensor_height;
    char *base;

    if (!worker->job->has_key) {
        return;
    }
    base = mmap(NULL, layout.size, PROT_READ, MAP_SHARED, worker->tensor, 0);
    if (base == MAP_FAILED) {
        return;
    }
    matte_cache_put(pool->mattes, &worker->job->key,
                    (const float *)(const void *)(base + layout.matte_offset), pixels);
    munmap(base, layout.size);
}

static int on_inferred(Pool *pool, const ChildMessage *message) {
    Inference *self = &pool->inference;
    Worker *worker = self->running;

    if (self->running_id == 0 || message->id != self->running_id) {
        return -EBADMSG;
    }
    self->running = NULL;
    self->running_id = 0;
    if (message->status == RENDER_OK) {
        self->ready = true;
    }
    if (!worker) {
        return 0;
    }
    if (message->status == RENDER_OK) {
        worker->job->inference_ms = message->inference_ms;
        remember_matte(pool, worker);
    } else {
        /* Perhaps the model was replaced by one of another size: ask again next time. */
        ModelSize *model = find_model(self, worker->job->model);
        if (model) {
            *model = (ModelSize){0};
        }
    }
    worker_answer_matte(pool, worker, (RenderStatus)message->status);
    return 0;
}

static int on_packet(Pool *pool, IpcPacket *packet) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    ChildMessage message;

    if (packet->n_fds > 0 || child_message_read(packet->json, arena, &message) < 0) {
        return -EBADMSG;
    }
    switch (message.op) {
    case CHILD_READY:
        if (pool->inference.ready) {
            return -EBADMSG;
        }
        pool->inference.ready = true;
        pool->inference.failures = 0;
        return 0;
    case CHILD_MODEL:
    case CHILD_NO_MODEL:
        return on_model(pool, &message);
    case CHILD_INFERRED:
        return on_inferred(pool, &message);
    default:
        return -EBADMSG;
    }
}

void inference_on_socket(Pool *pool) {
    Process *process = &pool->inference.process;

    while (process->socket >= 0) {
        _cleanup_(ipc_packet_done) IpcPacket packet = IPC_PACKET_INIT;
        int r = ipc_recv(process->socket, &packet);
        if (r == IPC_E_EMPTY) {
            return;
        }
        if (r == 0) {
            r = on_packet(pool, &packet);
        }
        if (r != 0) {
            process->socket = fd_close(process->socket);
            process_kill(process);
        }
    }
}

static void lose_matte(Pool *pool) {
    Worker *worker = TAKE_PTR(pool->inference.running);

    pool->inference.running_id = 0;
    if (!worker) {
        return;
    }
    if (++worker->job->matte_attempts < ATTEMPTS_MAX) {
        worker->job->matte = MATTE_WAITING;
        worker->job->waiting_us = clock_mono_us();
    } else {
        /* Unlike a worker it never sees the file, so the file is not to blame. */
        worker_answer_matte(pool, worker, RENDER_FAULT);
    }
}

void inference_on_end(Pool *pool) {
    Inference *self = &pool->inference;
    int signal;

    if (self->process.pid == 0) {
        return;
    }
    inference_on_socket(pool);
    if (process_bury(&self->process, &signal) < 0) {
        return;
    }
    log_debug("inference gone", LOG_INT("signal", signal));
    self->failures += !self->ready;
    self->ready = false;
    self->start_at_ms = clock_mono_ms() + back_off_ms(self->failures);
    pool->inference_restarts++;
    lose_matte(pool);
    if (self->failures >= FAILURES_MAX) {
        fail_waiting(pool, NULL, RENDER_FAULT, NULL);
    }
}

void inference_check_time(Pool *pool, uint64_t now_ms) {
    Inference *self = &pool->inference;

    if (self->running_id != 0 && now_ms >= self->deadline_ms) {
        self->deadline_ms = UINT64_MAX;
        process_kill(&self->process);
    }
}

static Worker *next_waiting(Pool *pool) {
    Worker *best = NULL;

    for (unsigned i = 0; i < pool->options.workers; i++) {
        Worker *worker = &pool->workers[i];
        if (!worker->job || worker->job->matte != MATTE_WAITING) {
            continue;
        }
        if (!best || worker->job->render.priority > best->job->render.priority ||
            (worker->job->render.priority == best->job->render.priority &&
             worker->job->ticket < best->job->ticket)) {
            best = worker;
        }
    }
    return best;
}

void inference_next(Pool *pool) {
    Inference *self = &pool->inference;
    Worker *worker;
    Job *job;
    ChildMessage message;

    if (self->running_id != 0 || self->process.socket < 0 || !(worker = next_waiting(pool))) {
        return;
    }
    job = worker->job;
    message = (ChildMessage){.op = CHILD_INFER,
                             .id = job->ticket,
                             .model = job->model,
                             .model_width = worker->tensor_width,
                             .model_height = worker->tensor_height};
    if (process_send(&self->process, &message, &worker->tensor, 1) < 0) {
        process_kill(&self->process);
        return;
    }
    job->queue_ms += (double)(clock_mono_us() - job->waiting_us) / 1000.0;
    job->matte = MATTE_RUNNING;
    self->running = worker;
    self->running_id = job->ticket;
    self->deadline_ms = clock_mono_ms() + pool->options.job_timeout_ms;
}

void inference_forget(Pool *pool, const Worker *worker) {
    if (pool->inference.running == worker) {
        pool->inference.running = NULL;
    }
}
