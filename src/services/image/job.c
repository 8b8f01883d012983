/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/job.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>

/*
 * The part that other threads touch. A step is started with a ticket that is only known after the
 * start returned, when its end may already have been called, or the client may already have gone;
 * so tickets are kept under a lock together with the number of the step they belong to, and whoever
 * may still look holds a reference.
 */
typedef struct JobRun JobRun;
typedef void JobStep(JobRun *run);

struct JobRun {
    ImageJob job;
    pthread_mutex_t lock;
    unsigned references;
    unsigned step;   /* counts steps begun and ended: odd while one is under way */
    bool fetching;   /* which kind the step is */
    bool has_ticket; /* of the step under way */
    bool gone;
    uint64_t ticket;
    uint64_t started_us, step_us;
    double probe_ms;
    RenderTimings timings;
    RenderResult result; /* of the last step, kept until what follows has run */
    JobPrepare *prepare;
    JobStep *deferred;
    bool settles; /* the deferred step must run however late it is */
};

static void run_unref(JobRun *run) {
    bool last;

    pthread_mutex_lock(&run->lock);
    last = --run->references == 0;
    pthread_mutex_unlock(&run->lock);
    if (!last) {
        return;
    }
    account_release(run->job.caller.account);
    fd_close(run->result.output_fd);
    fd_close(run->job.image.owned_fd);
    fd_close(run->job.background.owned_fd);
    pthread_mutex_destroy(&run->lock);
    free(run);
}

static void cancel_ticket(JobRun *run, bool fetching, uint64_t ticket) {
    const ImageServiceOptions *options = &run->job.service->options;

    if (fetching) {
        fetcher_cancel(options->fetcher, ticket);
    } else {
        renderer_cancel(options->renderer, ticket);
    }
}

static void client_gone(HttpRequest *request, void *userdata) {
    JobRun *run = userdata;
    bool cancel, fetching;
    uint64_t ticket;

    (void)request;
    pthread_mutex_lock(&run->lock);
    run->gone = true;
    cancel = run->has_ticket;
    fetching = run->fetching;
    ticket = run->ticket;
    run->references++;
    pthread_mutex_unlock(&run->lock);
    if (cancel) {
        cancel_ticket(run, fetching, ticket);
    }
    run_unref(run);
}

static ImageJob *job_new(ImageService *service, HttpRequest *request, const JobApi *api) {
    static const JobSource none = {.bytes = {.fd = -1}, .owned_fd = -1};
    JobRun *run = calloc(1, sizeof(*run));

    if (!run) {
        abort();
    }
    pthread_mutex_init(&run->lock, NULL);
    run->references = 1;
    run->result.output_fd = -1;
    run->started_us = clock_mono_us();
    run->job = (ImageJob){.service = service,
                          .request = request,
                          .arena = http_request_arena(request),
                          .api = api,
                          .image = none,
                          .background = none,
                          .recipe = RECIPE_INIT,
                          .run = run};
    return &run->job;
}

Failure image_job_take_rate(ImageJob *job, uint32_t megapixels) {
    job->rate = account_rate_take(job->caller.account, job->rate_paid, megapixels, clock_mono_ms());
    job->rate_paid = job->rate.granted ? megapixels : 0;
    job->rate_known = true;
    return job->rate.granted ? FAILURE_NONE : FAILURE_RATE_LIMIT;
}

bool image_job_take_cap(ImageJob *job, UsageCap cap, uint32_t max) {
    return account_cap_take(job->caller.account, cap, max, clock_unix_s(),
                            &job->rate.retry_after_s);
}

Failure image_job_reserve(ImageJob *job, uint64_t cost) {
    assert(job->cost == 0);
    job->reservation = uuid_new();
    switch (account_reserve(job->caller.account, &job->reservation, cost)) {
    case 0:
        job->cost = cost;
        return FAILURE_NONE;
    case ACCOUNT_E_CREDITS:
        return FAILURE_INSUFFICIENT_CREDITS;
    default:
        return FAILURE_UNAVAILABLE;
    }
}

/* For later; false: it is given back by itself in time. */
static bool keep_settlement(ImageJob *job, bool charge) {
    const Account *account = job->caller.account;
    const AccessReservation reservation =
        account_reservation(account, &job->reservation, job->cost);
    Settlements *settlements = job->service->settlements;

    return settlements && account_is_users(account) &&
           settlements_add(settlements, &reservation, charge);
}

/* The answer does not depend on whether it can be settled at once. */
static bool settle(ImageJob *job, bool charge) {
    int r = account_settle(job->caller.account, &job->reservation, job->cost, charge);

    if (r < 0 && keep_settlement(job, charge)) {
        char id[UUID_TEXT_SIZE];
        uuid_text(&job->reservation, id);
        log_warn("credits not settled yet", LOG_STR("request_id", http_request_id(job->request)),
                 LOG_STR("reservation", id), LOG_BOOL("charge", charge),
                 LOG_STR("error", strerror(-r)));
    } else if (r != 0) {
        log_error("credits not settled", LOG_STR("request_id", http_request_id(job->request)),
                  LOG_BOOL("charge", charge),
                  LOG_STR("error", r < 0 ? strerror(-r) : "reservation expired"));
    }
    return charge && r == 0;
}

void image_job_waive(ImageJob *job) {
    if (job->cost > 0) {
        settle(job, false);
        job->cost = 0;
    }
}

uint32_t image_job_megapixels(const ImageInfo *info) {
    double megapixels = round((double)info->width * info->height / 1e6);

    return megapixels < 1 ? 1 : megapixels > UINT32_MAX ? UINT32_MAX : (uint32_t)megapixels;
}

/* Returns the number of the step that begins, for step_started(). */
static unsigned step_begin(JobRun *run, bool fetching) {
    unsigned step;

    pthread_mutex_lock(&run->lock);
    step = ++run->step;
    run->fetching = fetching;
    run->has_ticket = false;
    run->references++;
    run->step_us = clock_mono_us();
    pthread_mutex_unlock(&run->lock);
    return step;
}

/* Keeps the ticket of a step that is still under way; cancels it when the client went meanwhile. */
static void step_started(JobRun *run, unsigned step, uint64_t ticket) {
    bool cancel = false, fetching = false;

    pthread_mutex_lock(&run->lock);
    if (run->step == step) {
        run->ticket = ticket;
        run->has_ticket = true;
        cancel = run->gone;
        fetching = run->fetching;
    }
    pthread_mutex_unlock(&run->lock);
    if (cancel) {
        cancel_ticket(run, fetching, ticket);
    }
    run_unref(run);
}

/* The step under way has ended; returns its milliseconds. */
static double step_end(JobRun *run) {
    double ms;

    pthread_mutex_lock(&run->lock);
    run->step++;
    run->has_ticket = false;
    ms = (double)(clock_mono_us() - run->step_us) / 1000;
    pthread_mutex_unlock(&run->lock);
    return ms;
}

/* The step begun could not be started: nobody else knows of it, and the job goes on. */
static void step_abandon(JobRun *run) {
    step_end(run);
    pthread_mutex_lock(&run->lock);
    run->references--;
    assert(run->references > 0);
    pthread_mutex_unlock(&run->lock);
}

static void gather(JobRun *run);

static void run_deferred(void *userdata, bool cancelled) {
    JobRun *run = userdata;

    if (cancelled && !run->settles) {
        image_job_fail(&run->job, FAILURE_UNAVAILABLE, NULL);
    } else {
        run->deferred(run);
    }
}

/*
 * Goes on with a step that asks the user service, on a thread that may wait. With `settles` it
 * must run: here when there is no such thread, because credits come before this thread's time.
 */
static void defer(JobRun *run, JobStep *step, bool settles) {
    int r;

    run->deferred = step;
    run->settles = settles;
    r = executor_submit(run->job.service->options.executor, run_deferred, run);
    if (r != 0 && settles) {
        step(run);
    } else if (r != 0) {
        image_job_fail(&run->job, r == EXECUTOR_E_FULL ? FAILURE_BUSY : FAILURE_UNAVAILABLE, NULL);
    }
}

static void go_on(JobRun *run, JobStep *step, bool settles) {
    if (account_is_users(run->job.caller.account)) {
        defer(run, step, settles);
    } else {
        step(run);
    }
}

/* The renderer's result lives only as long as its call. */
static void keep_result(JobRun *run, const RenderResult *result) {
    run->result = *result;
    run->result.output_fd = TAKE_FD(((RenderResult *)result)->output_fd);
    if (result->detail) {
        run->result.detail = arena_strdup(run->job.arena, str_from(result->detail));
    }
}

static Failure failure_of_fetch(FetchStatus status, bool background) {
    switch (status) {
    case FETCH_BAD_URL:
        return background ? FAILURE_INVALID_BG_IMAGE_URL : FAILURE_INVALID_IMAGE_URL;
    case FETCH_TOO_LARGE:
        return FAILURE_FILE_TOO_LARGE;
    case FETCH_BUSY:
        return FAILURE_BUSY;
    default:
        return background ? FAILURE_BG_DOWNLOAD : FAILURE_IMAGE_DOWNLOAD;
    }
}

static void fetch_done(FetchResult *result, void *userdata) {
    JobRun *run = userdata;
    ImageJob *job = &run->job;
    bool background = job->image.bytes.fd >= 0;
    JobSource *source = background ? &job->background : &job->image;

    source->fetch_ms = step_end(run);
    metric_observe(job->service->metrics.fetch_s, source->fetch_ms / 1000);
    if (result->status != FETCH_OK) {
        image_job_fail(job, failure_of_fetch(result->status, background), result->detail);
        return;
    }
    source->owned_fd = TAKE_FD(result->fd);
    source->bytes = (RenderSource){source->owned_fd, 0, result->len};
    gather(run);
}

static void fetch(JobRun *run, JobSource *source) {
    Fetcher *fetcher = run->job.service->options.fetcher;
    uint64_t ticket = 0;
    unsigned step;

    if (!fetcher) {
        image_job_fail(&run->job, failure_of_fetch(FETCH_FORBIDDEN, source == &run->job.background),
                       "This server fetches no URLs.");
        return;
    }
    step = step_begin(run, true);
    fetcher_get(fetcher, source->url, fetch_done, run, &ticket);
    step_started(run, step, ticket);
}

static void submit(JobRun *run, RenderOp op, RenderDone *done) {
    ImageJob *job = &run->job;
    unsigned step = step_begin(run, false);
    uint64_t ticket = 0;
    const RenderJob render = {
        .op = op,
        .input = job->image.bytes,
        .background = job->background.bytes,
        .recipe = job->recipe,
        .model = job->model,
        .request_id = http_request_id(job->request),
        .memory = op == RENDER_RENDER ? render_memory(&job->recipe, &job->info) : 0};
    int r = renderer_submit(job->service->options.renderer, &render, done, run, &ticket);

    if (r < 0) {
        step_abandon(run);
        image_job_fail(job, FAILURE_INTERNAL, NULL);
        return;
    }
    step_started(run, step, ticket);
}

static void observe(const JobRun *run) {
    const ImageMetrics *metrics = &run->job.service->metrics;
    const RenderTimings *t = &run->timings;
    const struct {
        Metric *metric;
        double ms;
    } steps[] = {
        {metrics->queue_s, t->queue},         {metrics->decode_s, t->decode},
        {metrics->inference_s, t->inference}, {metrics->refine_s, t->refine},
        {metrics->compose_s, t->compose},     {metrics->encode_s, t->encode},
    };

    /* Zero stands for a step that was not needed or not reached. */
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (steps[i].ms > 0) {
            metric_observe(steps[i].metric, steps[i].ms / 1000);
        }
    }
}

static void fail_render(ImageJob *job, const RenderResult *result) {
    Failure failure = failure_of_render(result->status);
    const char *detail = result->detail && *result->detail ? result->detail : NULL;

    if (failure == FAILURE_BUSY) {
        job->rate.retry_after_s = MAX(result->retry_after_s, 1u);
    }
    image_job_fail(job, failure, detail ? arena_strdup(job->arena, str_from(detail)) : NULL);
}

static void rendered(JobRun *run) {
    ImageJob *job = &run->job;

    if (run->result.status != RENDER_OK) {
        fail_render(job, &run->result);
        return;
    }
    job->api->reply(job, &run->result);
}

static void render_done(const RenderResult *result, void *userdata) {
    JobRun *run = userdata;

    step_end(run);
    run->timings = result->timings;
    metric_add(run->job.service->metrics.renders[result->status], 1);
    observe(run);
    keep_result(run, result);
    go_on(run, rendered, true);
}

static void probed(JobRun *run) {
    ImageJob *job = &run->job;
    const char *detail = NULL;
    Failure failure = FAILURE_NONE;

    if (job->api->admit) {
        failure = job->api->admit(job, &detail);
    }
    if (failure != FAILURE_NONE) {
        image_job_fail(job, failure, detail);
    } else if (job->api->probe_only) {
        job->api->reply(job, &run->result);
    } else {
        submit(run, RENDER_RENDER, render_done);
    }
}

static void probe_done(const RenderResult *result, void *userdata) {
    JobRun *run = userdata;

    run->probe_ms = step_end(run);
    metric_observe(run->job.service->metrics.probe_s, run->probe_ms / 1000);
    if (result->status != RENDER_OK) {
        fail_render(&run->job, result);
        return;
    }
    run->job.info = result->info;
    keep_result(run, result);
    go_on(run, probed, false);
}

static void gather(JobRun *run) {
    ImageJob *job = &run->job;

    if (job->image.url && job->image.bytes.fd < 0) {
        fetch(run, &job->image);
    } else if (job->background.url && job->background.bytes.fd < 0) {
        fetch(run, &job->background);
    } else {
        submit(run, RENDER_PROBE, probe_done);
    }
}

Failure image_job_read_form(ImageJob *job, Form *ret_form, const char **reterr_detail) {
    const char *type = http_request_header(job->request, "Content-Type");
    int r = form_parse(type, http_request_body(job->request), job->arena, ret_form, reterr_detail);

    /* It may hold a picture, but not where one is looked for. */
    if (r == FORM_E_UNSUPPORTED) {
        return FAILURE_MISSING_SOURCE;
    }
    return r == 0 ? FAILURE_NONE : r > 0 ? FAILURE_MALFORMED_BODY : FAILURE_INTERNAL;
}

static void begin(JobRun *run) {
    ImageJob *job = &run->job;
    const char *detail = NULL;
    Failure failure = run->prepare(job, &detail);

    if (failure != FAILURE_NONE) {
        image_job_fail(job, failure, detail);
        return;
    }
    assert(image_job_has(&job->image));
    http_request_on_gone(job->request, client_gone, run);
    gather(run);
}

void image_job_run(ImageService *service, HttpRequest *request, const JobApi *api,
                   JobPrepare *prepare) {
    JobRun *run = job_new(service, request, api)->run;

    run->prepare = prepare;
    if (access_may_wait(service, request)) {
        defer(run, begin, false);
    } else {
        begin(run);
    }
}

static void log_outcome(const JobRun *run, unsigned status, const char *code) {
    const ImageJob *job = &run->job;
    const RenderTimings *t = &run->timings;
    Account *account = job->caller.account;

    log_info("image request done", LOG_STR("request_id", http_request_id(job->request)),
             LOG_STR("api", job->api->name), LOG_INT("status", status), LOG_STR("code", code),
             LOG_STR("key", account ? account_fingerprint(account) : "-"),
             LOG_BOOL("gone", run->gone), LOG_INT("width", job->info.width),
             LOG_INT("height", job->info.height), LOG_INT("credits_x100", job->cost),
             LOG_DOUBLE("fetch_ms", job->image.fetch_ms + job->background.fetch_ms),
             LOG_DOUBLE("probe_ms", run->probe_ms), LOG_DOUBLE("queue_ms", t->queue),
             LOG_DOUBLE("decode_ms", t->decode), LOG_DOUBLE("inference_ms", t->inference),
             LOG_DOUBLE("refine_ms", t->refine), LOG_DOUBLE("compose_ms", t->compose),
             LOG_DOUBLE("encode_ms", t->encode),
             LOG_DOUBLE("total_ms", (double)(clock_mono_us() - run->started_us) / 1000));
}

/* Settles before it answers, so that the caller's next look at the balance is right. */
static void end(ImageJob *job, const HttpResponse *response, const char *code) {
    JobRun *run = job->run;
    bool charge;

    http_request_on_gone(job->request, NULL, NULL);
    charge = response->status == 200 && !run->gone;
    if (job->cost > 0) {
        charge = settle(job, charge);
        metric_add(job->service->metrics.credits_charged, charge ? (double)job->cost / CREDIT : 0);
    }
    log_outcome(run, response->status, code);
    http_respond(job->request, response);
    run_unref(run);
}

void image_job_reply(ImageJob *job, const HttpResponse *response) {
    end(job, response, "ok");
}

/*
 * What we could not do for want of room or by our own fault costs nothing of the rate budget; what
 * took too long, or was left by its client, does.
 */
static void refund_rate(ImageJob *job) {
    uint32_t retry_after_s = job->rate.retry_after_s;

    if (job->rate_paid > 0) {
        image_job_take_rate(job, 0);
        job->rate.retry_after_s = retry_after_s;
    }
}

void image_job_fail(ImageJob *job, Failure failure, const char *detail) {
    _cleanup_(buf_done) Buf body = BUF_INIT;
    const FailureInfo *info = failure_info(failure);
    const ErrorText text = {info->status, info->code, info->title, detail,
                            http_request_id(job->request)};
    HeaderList headers = {0};

    error_body(job->api->shape, &text, &body);
    if (failure == FAILURE_BUSY || failure == FAILURE_INTERNAL) {
        refund_rate(job);
    }
    if (info->status == 429 || info->status == 503) {
        header_add(&headers, job->arena, "Retry-After", "%u", MAX(job->rate.retry_after_s, 1u));
    }
    image_job_rate_headers(job, &headers);
    end(job,
        &(HttpResponse){.status = info->status,
                        .content_type = error_content_type(job->api->shape),
                        .headers = headers.items,
                        .body = buf_str(&body)},
        info->code);
}

void header_add(HeaderList *list, Arena *arena, const char *name, const char *format, ...) {
    _cleanup_(buf_done) Buf value = BUF_INIT;
    va_list args;

    assert(list->count < HEADERS_MAX);
    va_start(args, format);
    buf_addfv(&value, format, args);
    va_end(args);
    list->items[list->count++] = (HttpHeader){name, arena_strdup(arena, buf_str(&value))};
}

void image_job_rate_headers(const ImageJob *job, HeaderList *list) {
    if (!job->rate_known || job->rate.limit == 0) {
        return;
    }
    header_add(list, job->arena, "X-RateLimit-Limit", "%u", job->rate.limit);
    header_add(list, job->arena, "X-RateLimit-Remaining", "%u", job->rate.remaining);
    header_add(list, job->arena, "X-RateLimit-Reset", "%lld",
               (long long)clock_unix_s() + job->rate.full_in_s);
}
