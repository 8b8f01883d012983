/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/access.h"
#include "services/image/failure.h"

#include <jansson.h>

/* Told of a key without a limit, because clients expect a number and compare it with their need. */
#define UNLIMITED_SHOWN (1000000000ull * CREDIT)

static void refuse(HttpRequest *request, Failure failure, ErrorShape shape) {
    static const HttpHeader later[] = {{"Retry-After", "1"}, {0}};
    _cleanup_(buf_done) Buf body = BUF_INIT;
    const FailureInfo *info = failure_info(failure);
    const ErrorText text = {info->status, info->code, info->title, NULL, http_request_id(request)};

    error_body(shape, &text, &body);
    http_respond(request, &(HttpResponse){.status = info->status,
                                          .content_type = error_content_type(shape),
                                          .headers = info->status == 503 ? later : NULL,
                                          .body = buf_str(&body)});
}

/* False: it was refused. */
static bool find_balance(ImageService *service, HttpRequest *request, ErrorShape shape,
                         uint64_t *ret_payg, uint64_t *ret_enterprise) {
    Caller caller = {0};
    Failure failure = access_for_balance(service, request, &caller);
    int r = 0;

    *ret_payg = *ret_enterprise = 0;
    if (failure == FAILURE_NONE) {
        r = account_available(caller.account, ret_payg);
        failure = r < 0 ? FAILURE_UNAVAILABLE : FAILURE_NONE;
        account_release(caller.account);
    }
    if (failure != FAILURE_NONE) {
        refuse(request, failure, shape);
        return false;
    }
    *ret_enterprise = r == ACCOUNT_E_UNLIMITED ? UNLIMITED_SHOWN : 0;
    return true;
}

/* Takes `json`. */
static void respond(HttpRequest *request, json_t *json) {
    char *dump = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));

    http_respond(
        request,
        &(HttpResponse){.status = 200, .content_type = "application/json", .body = str_from(dump)});
    free(dump);
    json_decref(json);
}

void account_handle(HttpRequest *request, void *context) {
    uint64_t payg, enterprise;

    if (find_balance(context, request, ERROR_SHAPE_REMOVEBG, &payg, &enterprise)) {
        respond(request,
                json_pack("{s:{s:{s:{s:f,s:i,s:f,s:f},s:{s:i,s:s}}}}", "data", "attributes",
                          "credits", "total", (double)(payg + enterprise) / CREDIT, "subscription",
                          0, "payg", (double)payg / CREDIT, "enterprise",
                          (double)enterprise / CREDIT, "api", "free_calls", 0, "sizes", "all"));
    }
}

/* Photoroom's. */
void segment_account_handle(HttpRequest *request, void *context) {
    uint64_t payg, enterprise;

    if (find_balance(context, request, ERROR_SHAPE_PHOTOROOM, &payg, &enterprise)) {
        respond(request, json_pack("{s:{s:f,s:i}}", "credits", "available",
                                   (double)(payg + enterprise) / CREDIT, "subscription", 0));
    }
}
