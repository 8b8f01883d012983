/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of this service share: its state, its handlers and its metrics. */

#include "services/image/accounts.h"
#include "services/image/service.h"
#include "services/image/settlements.h"

/* Metrics are registered once, because only updating them is free of locks. */
typedef struct ImageMetrics {
    Metric *renders[_RENDER_STATUS_MAX];
    Metric *fetch_s, *probe_s, *queue_s, *decode_s, *inference_s, *refine_s, *compose_s, *encode_s;
    Metric *credits_charged;
} ImageMetrics;

struct ImageService {
    ImageServiceOptions options;
    Accounts *accounts;
    Settlements *settlements; /* NULL: there are no users' keys */
    ImageMetrics metrics;
    uint64_t file_max; /* bytes */
    HttpRoute removebg_routes[4], segment_routes[3], page_routes[3];
    HttpRouteGroup groups[IMAGE_SERVICE_GROUPS];
};

/* Handlers; their context is the ImageService. */
HttpHandler removebg_handle, account_handle, improve_handle;
HttpHandler segment_handle, segment_account_handle;
HttpHandler cutout_handle, page_config_handle;
