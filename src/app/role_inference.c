/* SPDX-License-Identifier: Apache-2.0 */
#include "app/child.h"
#include "app/role_modules.h"
#include "app/sandbox.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "inference/model.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNTIME_WORDS_MAX ((size_t)4096)
#define MODELS_MAX        2 /* resident at once; the one not used for longest makes room */

typedef struct Loaded {
    char name[MODEL_NAME_MAX + 1];
    Model *model;
    uint32_t width, height;
    uint64_t used;
} Loaded;

typedef struct Inference {
    const char *models_dir;
    ModelOptions options;
    Loaded loaded[MODELS_MAX];
    uint64_t uses;
} Inference;

static int send_no_model(const char *name) {
    return child_send(&(ChildMessage){.op = CHILD_NO_MODEL, .model = name}, NULL, 0);
}

/* Tells the pool a model's input size; 0 also when there is no such model. */
static int describe(Inference *self, const char *name) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    ModelManifest manifest;
    const char *where;
    int r = model_manifest_load(self->models_dir, name, arena, &manifest, &where);

    if (r < 0) {
        log_warn("model not usable", LOG_STR("model", name), LOG_STR("where", where),
                 LOG_STR("error", strerrordesc_np(-r)));
        return send_no_model(name);
    }
    return child_send(&(ChildMessage){.op = CHILD_MODEL,
                                      .model = name,
                                      .model_width = manifest.width,
                                      .model_height = manifest.height},
                      NULL, 0);
}

static Loaded *find(Inference *self, const char *name) {
    for (size_t i = 0; i < MODELS_MAX; i++) {
        if (self->loaded[i].model && strcmp(self->loaded[i].name, name) == 0) {
            self->loaded[i].used = ++self->uses;
            return &self->loaded[i];
        }
    }
    return NULL;
}

/*
 * The runtime writes what it dislikes about a file to standard error, where our log lines go. It is
 * caught in a memory file instead, so that it can be part of one.
 */
static int model_open_quietly(const ModelManifest *manifest, const ModelOptions *options,
                              Model **ret_model, Buf *ret_said) {
    _cleanup_(fd_closep) int said = -1, log = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    int r = log < 0 ? err_errno() : fd_memory_new("said", &said);

    if (r < 0 || dup2(said, STDERR_FILENO) < 0) {
        return err_trace(r < 0 ? r : err_errno());
    }
    r = model_open(manifest, options, ret_model);
    if (dup2(log, STDERR_FILENO) < 0) {
        return err_trace(err_errno());
    }
    if (lseek(said, 0, SEEK_SET) == 0) {
        fd_read_to_end(said, RUNTIME_WORDS_MAX, ret_said);
    }
    return r;
}

static int load(Inference *self, const char *name, Loaded **ret_loaded) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(buf_done) Buf said = BUF_INIT;
    Loaded *slot = &self->loaded[0];
    uint64_t begin = clock_mono_ms();
    ModelManifest manifest;
    const char *where;
    int r;

    if ((*ret_loaded = find(self, name))) {
        return 0;
    }
    r = model_manifest_load(self->models_dir, name, arena, &manifest, &where);
    if (r < 0) {
        return r;
    }
    for (size_t i = 1; i < MODELS_MAX && slot->model; i++) {
        if (!self->loaded[i].model || self->loaded[i].used < slot->used) {
            slot = &self->loaded[i];
        }
    }
    slot->model = model_close(slot->model);
    r = model_open_quietly(&manifest, &self->options, &slot->model, &said);
    if (r < 0 && self->options.cache_dir) {
        /* A full disk, a folder of somebody else's: slower starts are better than none. */
        self->options.cache_dir = NULL;
        r = model_open_quietly(&manifest, &self->options, &slot->model, &said);
    }
    if (r < 0) {
        log_error("model not loaded", LOG_STR("model", name), LOG_STR("error", strerrordesc_np(-r)),
                  LOG_STR("runtime", buf_cstr(&said)));
        return r;
    }
    snprintf(slot->name, sizeof(slot->name), "%s", name);
    slot->width = manifest.width;
    slot->height = manifest.height;
    slot->used = ++self->uses;
    log_info("model loaded", LOG_STR("model", name), LOG_INT("ms", clock_mono_ms() - begin));
    *ret_loaded = slot;
    return 0;
}

/* The tensor comes from the pool, which sealed its size: it cannot shrink under the mapping. */
static int run(Loaded *loaded, int fd) {
    TensorLayout layout = tensor_layout(loaded->width, loaded->height);
    struct stat status;
    char *base;
    int seals = fcntl(fd, F_GET_SEALS), r;

    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &status) < 0 ||
        (uint64_t)status.st_size != layout.size) {
        return err_trace(-EBADMSG);
    }
    base = mmap(NULL, layout.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (base == MAP_FAILED) {
        return err_trace(err_errno());
    }
    r = model_run(loaded->model, (const uint8_t *)base,
                  (float *)(void *)(base + layout.matte_offset));
    munmap(base, layout.size);
    return r;
}

static int infer(Inference *self, const ChildPacket *packet) {
    const ChildMessage *job = &packet->message;
    ChildMessage answer = {.op = CHILD_INFERRED, .id = job->id, .status = RENDER_OK};
    Loaded *loaded;
    uint64_t begin;
    int r;

    if (packet->packet.n_fds != 1) {
        return err_trace(-EBADMSG);
    }
    r = load(self, job->model, &loaded);
    if (r < 0) {
        answer.status = r == -ENOENT ? RENDER_UNKNOWN_MODEL : RENDER_FAULT;
        return child_send(&answer, NULL, 0);
    }
    begin = clock_mono_us();
    if (run(loaded, packet->packet.fds[0]) < 0) {
        answer.status = RENDER_FAULT;
    }
    answer.inference_ms = (double)(clock_mono_us() - begin) / 1000.0;
    return child_send(&answer, NULL, 0);
}

static int serve(Inference *self) {
    for (;;) {
        _cleanup_(child_packet_done) ChildPacket packet = CHILD_PACKET_INIT;
        int r = child_recv(&packet);
        if (r != 0) {
            return r < 0 ? r : 0;
        }
        switch (packet.message.op) {
        case CHILD_DESCRIBE:
            r = describe(self, packet.message.model);
            break;
        case CHILD_INFER:
            r = infer(self, &packet);
            break;
        default:
            r = -EBADMSG;
            break;
        }
        if (r < 0) {
            return err_trace(r);
        }
    }
}

static int begin(Inference *self, ChildPacket *start) {
    const ChildMessage *message = &start->message;
    Loaded *loaded;
    int r = child_begin("inference", start);

    if (r < 0) {
        return r;
    }
    if (!message->models_dir || !message->model) {
        return err_trace(-EBADMSG);
    }
    self->models_dir = message->models_dir;
    self->options = (ModelOptions){
        .threads = message->threads, .cache_dir = message->cache_dir, .device = "CPU"};
    /* Made here, for the sandbox lets nothing be made beside it. */
    if (message->cache_dir && mkdir(message->cache_dir, 0777) < 0 && errno != EEXIST) {
        self->options.cache_dir = NULL;
    }
    r = sandbox_enter_inference(self->options.cache_dir);
    if (r < 0) {
        return r;
    }
    /* The size first, so that workers can decode while the model is compiled. */
    r = describe(self, message->model);
    if (r < 0) {
        return r;
    }
    /* Without its default model it still serves others, and this one as soon as it is there. */
    if (load(self, message->model, &loaded) < 0) {
        return 0;
    }
    return child_send(&(ChildMessage){.op = CHILD_READY}, NULL, 0);
}

int role_module_main(int argc, char **argv) {
    ChildPacket start = CHILD_PACKET_INIT;
    Inference self = {0};
    int r;

    (void)argc;
    (void)argv;
#ifdef IMAGESYNC_SANITIZED
    /* Or TBB loads a part of itself in a way that the sanitizers refuse. */
    setenv("TBB_ENABLE_SANITIZERS", "1", 1);
#endif
    r = begin(&self, &start);
    if (r == 0) {
        r = serve(&self);
    }
    if (r < 0) {
        log_error("inference ended", LOG_STR("error", strerrordesc_np(-r)));
    }
    /* The runtime's threads and plugins take long to stop and have nothing to save. */
    _exit(r < 0 ? 1 : 0);
}
