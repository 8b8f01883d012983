/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The routes that belong to no service: the page and its files, /openapi.yaml, /healthz (the
 * process answers), /readyz (what it has workers for can be done now), /metrics.
 */

#include "base/http/server.h"
#include "core/ports/renderer.h"

typedef struct SystemContext {
    Renderer *renderer;
    Metrics *metrics;
} SystemContext;

/* The group of prefix "/"; routes live in `arena`, `context` must outlive the server. */
HttpRouteGroup system_routes(SystemContext *context, Arena *arena);
