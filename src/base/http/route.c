/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/server_internal.h"

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

void request_route(HttpRequest *request) {
    const HttpServer *server = request->server;
    const HttpRouteGroup *path_group = NULL;
    const char *allow = NULL;

    for (size_t i = 0; i < server->n_groups; i++) {
        for (const HttpRoute *route = server->groups[i].routes; route && route->method; route++) {
            if (strcmp(route->path, request->path) != 0) {
                continue;
            }
            if (answers(route, request->method)) {
                request->group = &server->groups[i];
                request->route = route;
                return;
            }
            path_group = &server->groups[i];
            allow = arena_printf(request->arena, "%s%s%s%s", allow ? allow : "", allow ? ", " : "",
                                 route->method, strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
        }
    }
    if (allow) {
        refuse_method(request, path_group, allow);
        return;
    }
    request->group = group_of_path(server, request->path);
    request->refuse_status = MHD_HTTP_NOT_FOUND;
    request->refuse_title = "Not found";
    request->refuse_detail = "There is nothing at this address.";
}

void request_refuse(HttpRequest *request, unsigned status, const char *title, const char *detail) {
    request_ref(request);
    if (request->group && request->group->refuse) {
        request->group->refuse(request, status, title, detail, request->group->context);
    } else {
        http_respond_problem(request, status, title, detail);
    }
}
