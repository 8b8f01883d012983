/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/access.h"
#include "services/image/failure.h"

#include <jansson.h>

/* Told of a key without a limit, because clients expect a number and compare it with their need. */
#define UNLIMITED_SHOWN (1000000000ull * CREDIT)

static void refuse(HttpRequest *request, Failure failure) {
    _cleanup_(buf_done) Buf body = BUF_INIT;
    const FailureInfo *info = failure_info(failure);
    const ErrorText text = {info->status, info->code, info->title, NULL, http_request_id(request)};

    error_body(ERROR_SHAPE_REMOVEBG, &text, &body);
    http_respond(request, &(HttpResponse){.status = info->status,
                                          .content_type = error_content_type(ERROR_SHAPE_REMOVEBG),
                                          .body = buf_str(&body)});
}

void account_handle(HttpRequest *request, void *context) {
    ImageService *service = context;
    uint64_t payg = 0, enterprise = 0;
    Caller caller;
    Failure failure = access_by_key(service, request, false, &caller);
    json_t *json;
    char *dump;

    if (failure != FAILURE_NONE) {
        refuse(request, failure);
        return;
    }
    if (!account_available(caller.account, &payg)) {
        enterprise = UNLIMITED_SHOWN;
    }
    json = json_pack("{s:{s:{s:{s:f,s:i,s:f,s:f},s:{s:i,s:s}}}}", "data", "attributes", "credits",
                     "total", (double)(payg + enterprise) / CREDIT, "subscription", 0, "payg",
                     (double)payg / CREDIT, "enterprise", (double)enterprise / CREDIT, "api",
                     "free_calls", 0, "sizes", "all");
    dump = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    http_respond(
        request,
        &(HttpResponse){.status = 200, .content_type = "application/json", .body = str_from(dump)});
    free(dump);
    json_decref(json);
}
