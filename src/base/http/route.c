/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/server_internal.h"

size_t *route_lengths(const HttpRouteGroup *groups, size_t n_groups, size_t *ret_n_routes) {
    size_t *lengths = NULL, n = 0;

    for (size_t i = 0; i < n_groups; i++) {
        for (const HttpRoute *route = groups[i].routes; route && route->method; route++) {
            lengths = reallocarray(lengths, n + 1, sizeof(*lengths));
            if (!lengths) {
                abort();
            }
            lengths[n] = 0;
            for (const char *c = route->path; *c; c++) {
                lengths[n] += *c == '/';
            }
            n++;
        }
    }
    *ret_n_routes = n;
    return lengths;
}

static bool answers(const HttpRoute *route, const char *method) {
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

static const HttpRouteGroup *group_of_path(const HttpServer *server, const char *path) {
    const HttpRouteGroup *longest = NULL;

    for (size_t i = 0; i < server->n_groups; i++) {
        const HttpRouteGroup *group = &server->groups[i];
        if (group->prefix && str_starts_with(str_from(path), str_from(group->prefix)) &&
            (!longest || strlen(group->prefix) > strlen(longest->prefix))) {
            longest = group;
        }
    }
    return longest;
}

static void refuse_method(HttpRequest *request, const HttpRouteGroup *group, const char *allow) {
    request->group = group;
    request->extra = (HttpHeader){"Allow", allow};
    request->refuse_status = MHD_HTTP_METHOD_NOT_ALLOWED;
    request->refuse_title = "Method not allowed";
    request->refuse_detail = arena_printf(request->arena, "This address answers %s.", allow);
}

/* Takes the route when it is better than the one there is: fewer names, more literal. */
static void consider(HttpRequest *request, const HttpRouteGroup *group, const HttpRoute *route,
                     size_t number, const PathParam *params, size_t n_params) {
    if (request->route && request->n_params <= n_params) {
        return;
    }
    request->group = group;
    request->route = route;
    request->route_number = number;
    request->n_params = n_params;
    for (size_t i = 0; i < n_params; i++) {
        request->params[i] = params[i];
    }
}

static void refuse_address(HttpRequest *request, unsigned status, const char *title,
                           const char *detail) {
    request->group = group_of_path(request->server, request->path);
    request->refuse_status = status;
    request->refuse_title = title;
    request->refuse_detail = detail;
}

void request_route(HttpRequest *request) {
    const HttpServer *server = request->server;
    const HttpRouteGroup *path_group = NULL;
    const char *allow = NULL;
    size_t number = 0;

    if (request->bad_address) {
        refuse_address(request, MHD_HTTP_BAD_REQUEST, "Bad request",
                       "The address has a broken percent escape or is not UTF-8.");
        return;
    }
    for (size_t i = 0; i < server->n_groups; i++) {
        for (const HttpRoute *route = server->groups[i].routes; route && route->method; route++) {
            PathParam params[PATH_PARAMS_MAX];
            int n_params = -1;
            /* This alone rules most of them out. */
            if (server->route_lengths[number++] == request->segments.n) {
                n_params = path_match(&request->segments, route->path, params);
            }
            if (n_params < 0) {
                continue;
            }
            if (answers(route, request->method)) {
                consider(request, &server->groups[i], route, number, params, (size_t)n_params);
            }
            path_group = &server->groups[i];
            allow = arena_printf(request->arena, "%s%s%s%s", allow ? allow : "", allow ? ", " : "",
                                 route->method, strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
        }
    }
    if (request->route) {
        return;
    }
    if (allow) {
        refuse_method(request, path_group, allow);
        return;
    }
    refuse_address(request, MHD_HTTP_NOT_FOUND, "Not found", "There is nothing at this address.");
}

void request_refuse(HttpRequest *request, unsigned status, const char *title, const char *detail) {
    request_ref(request);
    if (request->group && request->group->refuse) {
        request->group->refuse(request, status, title, detail, request->group->context);
    } else {
        http_respond_problem(request, status, title, detail);
    }
}
