/* SPDX-License-Identifier: Apache-2.0 */
#include "app/system_routes.h"

#include "app/assets.h"

static void respond(HttpRequest *request, unsigned status, const char *content_type, Str body) {
    http_respond(request,
                 &(HttpResponse){.status = status, .content_type = content_type, .body = body});
}

static void get_health(HttpRequest *request, void *context) {
    (void)context;
    respond(request, 200, "application/json", str_lit("{\"ok\":true}\n"));
}

static void get_ready(HttpRequest *request, void *context) {
    SystemContext *system = context;
    RendererStats stats = {.ready = true};

    if (system->renderer) {
        renderer_stats(system->renderer, &stats);
    }
    if (stats.ready) {
        respond(request, 200, "application/json", str_lit("{\"ready\":true}\n"));
    } else if (stats.workers_alive == 0) {
        respond(request, 503, "application/json",
                str_lit("{\"ready\":false,\"reason\":\"no worker is up yet\"}\n"));
    } else {
        respond(request, 503, "application/json",
                str_lit("{\"ready\":false,\"reason\":\"the model is being loaded\"}\n"));
    }
}

static void get_metrics(HttpRequest *request, void *context) {
    SystemContext *system = context;
    _cleanup_(buf_done) Buf text = BUF_INIT;

    metrics_render(system->metrics, &text);
    respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&text));
}

static void get_asset(HttpRequest *request, void *context) {
    const Asset *asset = asset_find(http_request_path(request));
    const char *known = http_request_header(request, "If-None-Match");
    const HttpHeader headers[] = {{"ETag", asset ? asset->etag : ""},
                                  {"Cache-Control", "no-cache"},
                                  {"Content-Security-Policy", ASSET_CONTENT_SECURITY_POLICY},
                                  {0}};
    HttpResponse response = {.status = 200, .headers = headers};

    (void)context;
    if (!asset) {
        http_respond_problem(request, 404, "Not Found", "There is nothing here.");
        return;
    }
    if (known && strcmp(known, asset->etag) == 0) {
        response.status = 304;
    } else {
        response.content_type = asset->content_type;
        response.body = (Str){(const char *)asset->bytes, asset->len};
    }
    http_respond(request, &response);
}

HttpRouteGroup system_routes(SystemContext *context, Arena *arena) {
    static const HttpRoute own[] = {
        {"GET", "/healthz", get_health, 0},
        {"GET", "/readyz", get_ready, 0},
        {"GET", "/metrics", get_metrics, 0},
    };
    size_t n_assets = 0, n = ARRAY_LEN(own);
    HttpRoute *routes;

    while (assets[n_assets].path) {
        n_assets++;
    }
    routes = arena_alloc(arena, (n + n_assets + 1) * sizeof(*routes));
    memcpy(routes, own, sizeof(own));
    for (size_t i = 0; i < n_assets; i++) {
        routes[n++] = (HttpRoute){"GET", assets[i].path, get_asset, 0};
    }
    return (HttpRouteGroup){.prefix = "/", .routes = routes, .context = context};
}
