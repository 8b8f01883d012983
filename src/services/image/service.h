/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The image service: remove.bg's and Photoroom's cut-out APIs, and our own for the web page. A
 * library over an HTTP server, a renderer and a fetcher that the app brings; all three, the
 * settings and the metrics must outlive it.
 *
 *   POST /v1.0/removebg, GET /v1.0/account, POST /v1.0/improve    remove.bg
 *   POST /v1/segment, GET /v1/account                             Photoroom
 *   POST /v1/cutout, GET /v1/page-config                          Image Sync
 */

#include "base/http/fetch.h"
#include "base/http/server.h"
#include "core/contracts/access.h"
#include "core/ports/renderer.h"
#include "services/image/settings.h"

typedef struct ImageService ImageService;

typedef struct ImageServiceOptions {
    Renderer *renderer;
    Fetcher *fetcher; /* NULL: image_url is refused as one that cannot be downloaded */
    Metrics *metrics;
    const ImageSettings *settings;
    Access *access;             /* users' keys; NULL: there are those of the configuration only */
    Executor *executor;         /* for calls of `access`, which wait; NULL when that is NULL */
    const char *listen_address; /* decides what page-access "auto" means */
    const char *data_dir;       /* feedback uploads are stored in its folder "improve" */
} ImageServiceOptions;

#define IMAGE_SERVICE_GROUPS 3

/* 0; -EINVAL with a whole sentence about a setting in *reterr (a literal); or a fault with one. */
int image_service_new(const ImageServiceOptions *options, ImageService **ret_service,
                      const char **reterr);
/* Last: after the server has stopped and the fetcher, the renderer and the executor are freed,
 * because what they have under way ends in here; before `access`, which is told what it was not
 * yet. The executor is drained before the renderer is freed. Accepts NULL. */
ImageService *image_service_free(ImageService *service);
DEFINE_CLEANUP(ImageService *, image_service_free)

/* The route groups for http_server_start(), the more specific prefix first; they live as long as
 * the service. */
const HttpRouteGroup *image_service_groups(ImageService *service);
