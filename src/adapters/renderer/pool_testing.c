/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/renderer/pool_testing.h"

const char *pool_testing_fake = "./pool_fake";

PoolOptions options_default(void) {
    return (PoolOptions){.binary = pool_testing_fake,
                         .workers = 1,
                         .worker_threads = 1,
                         .models_dir = "/",
                         .model = "fake",
                         .queue_max = 250,
                         .memory_max = 1000,
                         .job_timeout_ms = 20000,
                         .job_cpu_s = 20,
                         .pixels_max = 1,
                         .side_max = 1,
                         .pages_max = 1,
                         .log_level = "off"};
}

Fixture *open_pool(const PoolOptions *options) {
    Fixture *f = calloc(1, sizeof(*f));

    pthread_mutex_init(&f->sink.mutex, NULL);
    pthread_cond_init(&f->sink.changed, NULL);
    snprintf(f->folder, sizeof(f->folder), "/tmp/pool_test.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(renderer_pool_new(options, &f->renderer), 0);
    return f;
}

void close_pool(Fixture *f) {
    char command[128];

    renderer_free(f->renderer);
    for (unsigned i = 0; i < f->n_asks; i++) {
        fd_close(f->inputs[i]);
    }
    snprintf(command, sizeof(command), "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
    free(f);
}

static void on_done(const RenderResult *result, void *userdata) {
    Ask *ask = userdata;
    Sink *sink = ask->sink;

    pthread_mutex_lock(&sink->mutex);
    sink->status[sink->n] = result->status;
    sink->label[sink->n++] = ask->label;
    sink->last = *result;
    sink->last.detail = NULL;
    pthread_cond_broadcast(&sink->changed);
    pthread_mutex_unlock(&sink->mutex);
}

RenderSource source_of(const char *word) {
    int fd;

    assert_int_equal(fd_memory_new("input", &fd), 0);
    assert_int_equal(fd_write_all(fd, word, strlen(word)), 0);
    assert_int_equal(fd_memory_seal(fd), 0);
    return (RenderSource){.fd = fd, .len = strlen(word)};
}

uint64_t submit(Fixture *f, const char *word, const RenderJob *with) {
    RenderJob job = with ? *with : (RenderJob){.op = RENDER_RENDER, .memory = 100};
    Ask *ask = &f->asks[f->n_asks];
    uint32_t square = job.recipe.square;
    uint64_t ticket;

    job.input = source_of(word);
    if (job.background.len == 0) {
        job.background.fd = -1;
    }
    f->inputs[f->n_asks] = job.input.fd;
    *ask = (Ask){&f->sink, f->n_asks++};
    job.recipe = RECIPE_INIT;
    job.recipe.square = square;
    assert_int_equal(renderer_submit(f->renderer, &job, on_done, ask, &ticket), 0);
    return ticket;
}

RenderStatus wait_for(Fixture *f, unsigned n) {
    RenderStatus status;

    pthread_mutex_lock(&f->sink.mutex);
    while (f->sink.n < n) {
        pthread_cond_wait(&f->sink.changed, &f->sink.mutex);
    }
    status = f->sink.status[n - 1];
    pthread_mutex_unlock(&f->sink.mutex);
    return status;
}

void wait_running(Fixture *f, uint32_t n) {
    RendererStats stats;

    do {
        renderer_stats(f->renderer, &stats);
        usleep(500);
    } while (stats.running < n);
}

RenderStatus outcome(const PoolOptions *options, const char *word) {
    Fixture *f = open_pool(options);
    RenderStatus status;

    submit(f, word, NULL);
    status = wait_for(f, 1);
    close_pool(f);
    return status;
}

RenderStatus outcome_once(const PoolOptions *options, const char *prefix, const char *word) {
    Fixture *f = open_pool(options);
    char text[128];
    RenderStatus status;

    snprintf(text, sizeof(text), "%sonce:%s/x:%s", prefix, f->folder, word);
    submit(f, text, NULL);
    status = wait_for(f, 1);
    close_pool(f);
    return status;
}

uint64_t submit_ingest(Fixture *f, const char *word, uint64_t memory) {
    return submit(f, word,
                  &(RenderJob){.op = RENDER_INGEST,
                               .memory = memory,
                               .ingest = RENDER_INGEST_DEFAULT,
                               .model = "other"}); /* is not installed, nor needed */
}
