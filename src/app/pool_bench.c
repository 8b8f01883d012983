/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pool_bench BINARY MODELS_DIR PHOTO OUT JOBS WORKERS [CACHE_DIR]: renders the same photo over and
 * over, with every worker busy, and prints where the time goes. Environment: FORMAT of the result,
 * LOG level, HOLD to stay until killed.
 */

#include "adapters/renderer/pool.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

typedef struct Bench {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned done, failed;
    RenderTimings sum;
    const char *out;
} Bench;

static void on_done(const RenderResult *result, void *userdata) {
    Bench *bench = userdata;
    const RenderTimings *t = &result->timings;

    pthread_mutex_lock(&bench->mutex);
    bench->done++;
    bench->failed += result->status != RENDER_OK;
    printf("%-10s %4ux%-4u %8llu bytes  queue %7.1f decode %6.1f inference %7.1f refine %6.1f "
           "compose %6.1f encode %6.1f total %7.1f  %s\n",
           render_status_names[result->status], result->width, result->height,
           (unsigned long long)result->output_len, t->queue, t->decode, t->inference, t->refine,
           t->compose, t->encode, t->total, result->detail);
    if (bench->out && result->output_fd >= 0) {
        _cleanup_(map_done) Map map = MAP_INIT;
        _cleanup_(fd_closep) int fd = open(bench->out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (fd >= 0 && map_range(result->output_fd, 0, result->output_len, &map) == 0) {
            fd_write_all(fd, map.data, map.len);
        }
        bench->out = NULL;
    }
    pthread_cond_broadcast(&bench->changed);
    pthread_mutex_unlock(&bench->mutex);
}

static int load_photo(const char *path, RenderSource *ret_source) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_(buf_done) Buf bytes = BUF_INIT;
    int memory = -1;

    if (fd < 0 || fd_read_to_end(fd, 1u << 30, &bytes) < 0 || fd_memory_new("photo", &memory) < 0 ||
        fd_write_all(memory, bytes.data, bytes.len) < 0 || fd_memory_seal(memory) < 0) {
        return -1;
    }
    *ret_source = (RenderSource){.fd = memory, .len = bytes.len};
    return 0;
}

int main(int argc, char **argv) {
    Bench bench = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    RenderJob job = {.op = RENDER_RENDER, .background.fd = -1, .recipe = RECIPE_INIT};
    Renderer *renderer;
    RendererStats stats;
    uint64_t begin_ms = clock_mono_ms(), ticket, jobs, workers;

    if (argc < 7 || load_photo(argv[3], &job.input) < 0 ||
        str_to_u64(str_from(argv[5]), &jobs) < 0 || str_to_u64(str_from(argv[6]), &workers) < 0) {
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    bench.out = argv[4];
    if (getenv("FORMAT") &&
        output_format_parse(str_from(getenv("FORMAT")), (OutputFormat *)&job.recipe.format) < 0) {
        return 2;
    }
    log_setup(LOG_LEVEL_INFO, "bench");
    if (renderer_pool_new(&(PoolOptions){.binary = argv[1],
                                         .workers = (unsigned)workers,
                                         .worker_threads = 1,
                                         .models_dir = argv[2],
                                         .model = "isnet-general-use",
                                         .cache_dir = argc > 7 ? argv[7] : NULL,
                                         .queue_max = 1000000,
                                         .memory_max = 1u << 30,
                                         .worker_memory_max = (uint64_t)4 << 30,
                                         .job_timeout_ms = 60000,
                                         .job_cpu_s = 60,
                                         .pixels_max = 50000000,
                                         .side_max = 30000,
                                         .pages_max = 1000,
                                         .log_level = getenv("LOG") ? getenv("LOG") : "info"},
                          &renderer) < 0) {
        return 1;
    }
    for (uint64_t i = 0; i < jobs; i++) {
        renderer_submit(renderer, &job, on_done, &bench, &ticket);
    }
    pthread_mutex_lock(&bench.mutex);
    while (bench.done < jobs) {
        pthread_cond_wait(&bench.changed, &bench.mutex);
    }
    pthread_mutex_unlock(&bench.mutex);
    renderer_stats(renderer, &stats);
    printf("%llu jobs in %llu ms, %u failed, restarts %llu + %llu\n", (unsigned long long)jobs,
           (unsigned long long)(clock_mono_ms() - begin_ms), bench.failed,
           (unsigned long long)stats.worker_restarts, (unsigned long long)stats.inference_restarts);
    if (getenv("HOLD")) {
        pause();
    }
    renderer_free(renderer);
    fd_close(job.input.fd);
    return bench.failed > 0;
}
