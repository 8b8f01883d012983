/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/queue/outbox.h"

void jobs_move(SyncService *service) {
    size_t n = 0;
    int r;

    do {
        r = queue_outbox_move(service->options.db, service->options.queue, clock_unix_us(), &n);
    } while (r == 0 && n == QUEUE_PUT_MAX);
    if (r < 0) {
        log_warn("jobs of new photos wait", LOG_STR("error", strerrordesc_np(-r)));
    }
}

static void work(void *userdata, bool cancelled) {
    SyncService *service = userdata;

    /* First, so that who comes with a job after it was looked for asks again. */
    atomic_store(&service->moves_jobs, false);
    if (!cancelled) {
        jobs_move(service);
    }
}

void jobs_move_soon(SyncService *service) {
    if (!atomic_exchange(&service->moves_jobs, true) &&
        executor_submit(service->options.executor, work, service) != 0) {
        atomic_store(&service->moves_jobs, false);
    }
}
