/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The metrics of requests. Looking one up by its labels takes a lock and a dozen comparisons of
 * strings, so those of a route's common answers are kept beside it.
 */
#include "base/http/server_internal.h"

#define KEPT 6 /* pairs of method and status */

struct RouteCount {
    _Atomic(Metric *) seconds;
    struct {
        _Atomic unsigned key;
        _Atomic(Metric *) requests;
    } kept[KEPT];
};

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

/* ARRAY_LEN(methods) for any other. */
static unsigned method_index(const char *method) {
    unsigned i = 0;

    while (i < ARRAY_LEN(methods) && strcmp(method, methods[i]) != 0) {
        i++;
    }
    return i;
}

RouteCount *counts_new(size_t n_routes) {
    /* The first is of what has no route. */
    RouteCount *counts = calloc(n_routes + 1, sizeof(*counts));

    if (!counts) {
        abort();
    }
    return counts;
}

static Metric *seconds_of(Metrics *metrics, RouteCount *count, const char *route) {
    Metric *metric = atomic_load_explicit(&count->seconds, memory_order_acquire);
    _cleanup_(buf_done) Buf labels = BUF_INIT;

    if (!metric) {
        buf_addf(&labels, "route=\"%s\"", route);
        metric = metrics_histogram(metrics, "imagesync_http_request_seconds", labels.data,
                                   "From the headers to the end of the answer.");
        atomic_store_explicit(&count->seconds, metric, memory_order_release);
    }
    return metric;
}

static Metric *register_requests(Metrics *metrics, const char *route, unsigned method,
                                 unsigned status) {
    _cleanup_(buf_done) Buf labels = BUF_INIT;

    buf_addf(&labels, "route=\"%s\",method=\"%s\",status=\"%u\"", route,
             method < ARRAY_LEN(methods) ? methods[method] : "other", status);
    return metrics_counter(metrics, "imagesync_http_requests_total", labels.data,
                           "Requests answered.");
}

static Metric *requests_of(Metrics *metrics, RouteCount *count, const char *route, unsigned method,
                           unsigned status) {
    unsigned key = status * 16 + method + 1;

    for (size_t i = 0; i < KEPT; i++) {
        unsigned there = 0;
        if (atomic_compare_exchange_strong(&count->kept[i].key, &there, key) || there == key) {
            Metric *metric = atomic_load_explicit(&count->kept[i].requests, memory_order_acquire);
            if (!metric) {
                metric = register_requests(metrics, route, method, status);
                atomic_store_explicit(&count->kept[i].requests, metric, memory_order_release);
            }
            return metric;
        }
    }
    return register_requests(metrics, route, method, status);
}

void count_request(HttpServer *server, const HttpRequest *request, const HttpFinished *finished) {
    Metrics *metrics = server->options.metrics;
    RouteCount *count = &server->counts[request->route_number];

    if (!metrics) {
        return;
    }
    metric_observe(seconds_of(metrics, count, finished->route), finished->seconds);
    metric_add(requests_of(metrics, count, finished->route, method_index(finished->method),
                           finished->status),
               1);
}
