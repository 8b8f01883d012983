/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One request on its way through the service: its sources are gathered (inline bytes, base64, URLs
 * fetched one after the other), the picture is probed, the API checks and charges, the recipe is
 * rendered, and the API words the answer. Each step ends in a call on some other thread that starts
 * the next; no thread waits. When the client goes away, the step under way is cancelled. However it
 * ends, what was reserved is settled, one line is logged, and the request is answered once.
 */

#include "base/http/form.h"
#include "services/image/access.h"
#include "services/image/failure.h"

typedef struct ImageJob ImageJob;

/* How one API differs from another. */
typedef struct JobApi {
    const char *name; /* for the log */
    ErrorShape shape;
    /*
     * The header of the picture is known (job->info): checks it, charges for it, completes the
     * recipe. NULL: nothing to check. A failure may come with a sentence in *reterr_detail.
     */
    Failure (*admit)(ImageJob *job, const char **reterr_detail);
    /* Must answer with image_job_reply() or image_job_fail(). After the render, or after `admit`
     * when `probe_only`; then `result` is the probe's. */
    void (*reply)(ImageJob *job, RenderResult *result);
    bool probe_only;
} JobApi;

typedef struct JobSource {
    RenderSource bytes; /* fd < 0: not here yet, or none */
    int owned_fd;       /* -1: bytes.fd is the request's body */
    const char *url;    /* to be fetched; NULL: inline or none */
    double fetch_ms;
} JobSource;

struct ImageJob {
    ImageService *service;
    HttpRequest *request;
    Arena *arena; /* the request's */
    const JobApi *api;
    void *api_data; /* the API's own, in the arena */
    Caller caller;
    JobSource image, background;
    Recipe recipe;
    const char *model; /* NULL: the default */
    ImageInfo info;    /* from `admit` on */
    RateState rate;    /* granted is true once the budget was asked */
    bool rate_known;
    uint32_t rate_paid; /* units of the budget that this call has taken */
    uint64_t cost;      /* hundredths of a credit reserved */
    Uuid reservation;   /* its id, when cost > 0 */
    struct JobRun *run;
};

/*
 * Sources, job->image or job->background: a file of a multipart form, which is used where it lies
 * in the request's body; base64, which is decoded into a memory file; a URL, which is fetched
 * later. FAILURE_MISSING_SOURCE when the form has no such field; what else is wrong is told in
 * *reterr_detail.
 */
Failure image_job_set_file(ImageJob *job, JobSource *source, const Form *form, const char *name,
                           const char **reterr_detail);
Failure image_job_set_base64(ImageJob *job, JobSource *source, Str text,
                             const char **reterr_detail);
Failure image_job_set_url(ImageJob *job, JobSource *source, Str url, const char **reterr_detail);
bool image_job_has(const JobSource *source);

/*
 * Takes so much of the caller's rate budget for this call, instead of what it took before: one unit
 * while the picture is unknown, then what it costs. A call that is refused has taken nothing, so
 * that who waits for Retry-After is let in.
 */
Failure image_job_take_rate(ImageJob *job, uint32_t megapixels);
/* Counts one more use of a cap; false when it is used up, and the answer will say until when. */
bool image_job_take_cap(ImageJob *job, UsageCap cap, uint32_t max);
/* Reserves credits; they are settled when the job ends. */
Failure image_job_reserve(ImageJob *job, uint64_t cost);
/* Gives the reserved credits back: this request turned out to cost nothing. */
void image_job_waive(ImageJob *job);

/* The body as a form. One of another type is FAILURE_MISSING_SOURCE. */
Failure image_job_read_form(ImageJob *job, Form *ret_form, const char **reterr_detail);

/*
 * A whole request: makes a job, lets `prepare` say who calls and what is wanted (job->image must be
 * set), and sets off, or answers with the failure. Everything is answered, now or later.
 */
typedef Failure JobPrepare(ImageJob *job, const char **reterr_detail);
void image_job_run(ImageService *service, HttpRequest *request, const JobApi *api,
                   JobPrepare *prepare);

/* The end, one of the two, once. `detail` may be NULL. */
void image_job_fail(ImageJob *job, Failure failure, const char *detail);
void image_job_reply(ImageJob *job, const HttpResponse *response);

/* Input megapixels, rounded, at least 1: what a picture costs of the rate budget. */
uint32_t image_job_megapixels(const ImageInfo *info);

/* Up to 24 headers in an arena, to be handed to http_respond(). */
#define HEADERS_MAX 24
typedef struct HeaderList {
    HttpHeader items[HEADERS_MAX + 1];
    size_t count;
} HeaderList;
void header_add(HeaderList *list, Arena *arena, const char *name, const char *format, ...)
    printf_like(4, 5);
/* X-RateLimit-Limit, -Remaining and -Reset, when the caller's budget was asked and has a limit. */
void image_job_rate_headers(const ImageJob *job, HeaderList *list);
