/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/renderer/pool_private.h"

#include <stdio.h>

struct PoolMetrics {
    Metric *jobs[_RENDER_STATUS_MAX];
    Metric *seconds, *inference_seconds, *ingest_seconds;
    Metric *queued, *running, *memory, *ready;
    Metric *worker_restarts, *inference_restarts;
};

struct PoolMetrics *pool_metrics_new(Metrics *metrics) {
    struct PoolMetrics *self = metrics ? calloc(1, sizeof(*self)) : NULL;
    char labels[64];

    if (!self) {
        return NULL;
    }
    for (size_t i = 0; i < _RENDER_STATUS_MAX; i++) {
        snprintf(labels, sizeof(labels), "status=\"%s\"", render_status_names[i]);
        self->jobs[i] = metrics_counter(metrics, "imagesync_render_jobs_total", labels,
                                        "Jobs of the renderer by what became of them");
    }
    self->seconds = metrics_histogram(metrics, "imagesync_render_seconds", "",
                                      "From submission to result, of jobs that went well");
    self->inference_seconds = metrics_histogram(metrics, "imagesync_inference_seconds", "",
                                                "Of one picture in the model");
    self->ingest_seconds = metrics_histogram(metrics, "imagesync_ingest_seconds", "",
                                             "From submission to result, of photos taken in");
    self->queued = metrics_gauge(metrics, "imagesync_render_queued", "", "Jobs that wait");
    self->running = metrics_gauge(metrics, "imagesync_render_running", "", "Jobs in a worker");
    self->memory = metrics_gauge(metrics, "imagesync_render_memory_bytes", "",
                                 "Estimated memory of the jobs in a worker");
    self->ready = metrics_gauge(metrics, "imagesync_model_ready", "", "1 when the model is loaded");
    self->worker_restarts = metrics_gauge(metrics, "imagesync_worker_restarts", "",
                                          "Decode workers that ended and were replaced");
    self->inference_restarts = metrics_gauge(metrics, "imagesync_inference_restarts", "",
                                             "Inference processes that ended and were replaced");
    return self;
}

void pool_metrics_job(struct PoolMetrics *self, const RenderResult *result) {
    if (!self) {
        return;
    }
    metric_add(self->jobs[result->status], 1);
    if (result->status == RENDER_OK && result->output_fd >= 0) {
        metric_observe(self->seconds, result->timings.total / 1000.0);
        if (!result->matte_kept) {
            metric_observe(self->inference_seconds, result->timings.inference / 1000.0);
        }
    }
    if (result->status == RENDER_OK && result->mezzanine.fd >= 0) {
        metric_observe(self->ingest_seconds, result->timings.total / 1000.0);
    }
}

void pool_metrics_state(struct PoolMetrics *self, const Pool *pool) {
    if (!self) {
        return;
    }
    metric_set(self->queued, pool->queued);
    metric_set(self->running, pool->running);
    metric_set(self->memory, (double)pool->memory_admitted);
    metric_set(self->ready, pool->inference.ready);
    metric_set(self->worker_restarts, (double)pool->worker_restarts);
    metric_set(self->inference_restarts, (double)pool->inference_restarts);
}
