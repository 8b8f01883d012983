/* SPDX-License-Identifier: Apache-2.0 */

/* core/contracts/library_copy.h for the user service in another process. */

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "services/sync/copy/copy_files.h"

static bool is_the_user_service(SyncService *service, HttpRequest *request) {
    static const Str bearer = {"Bearer ", 7};
    Str value = str_from(http_request_header(request, "Authorization"));

    return value.len > bearer.len && str_starts_with(value, bearer) &&
           service_token_verify(service->options.user_verifier,
                                (Str){value.ptr + bearer.len, value.len - bearer.len},
                                clock_unix_s()) == 0;
}

static void fail(HttpRequest *request, unsigned status, const char *code, const char *title) {
    log_warn("service call failed", LOG_STR("request_id", http_request_id(request)),
             LOG_STR("path", http_request_path(request)), LOG_STR("code", code));
    http_respond_problem_coded(request,
                               &(HttpProblem){.status = status, .code = code, .title = title});
}

/* Answers itself when it is not to be done. */
static bool read_question(SyncService *service, HttpRequest *request,
                          LibraryCopyQuestion *ret_question, Uuid *ret_user_id) {
    Str body = http_request_body(request);
    _cleanup_(json_decrefp) json_t *json = NULL;
    const char *where;

    if (!is_the_user_service(service, request)) {
        fail(request, 401, "service_token_required", "Not one of our services");
        return false;
    }
    json = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, NULL);
    *ret_question = (LibraryCopyQuestion){0};
    if (!json ||
        json_read(json, library_copy_question_fields, http_request_arena(request), ret_question,
                  &where) < 0 ||
        uuid_parse(str_from(ret_question->user_id), ret_user_id) < 0) {
        fail(request, 400, "invalid_field", "Not such a question");
        return false;
    }
    return true;
}

/* false: it is answered already. */
static bool is_done(HttpRequest *request, int r) {
    if (r == -EINVAL) {
        fail(request, 400, "invalid_field", "Not such a question");
    } else if (r < 0) {
        log_error("a library is not copied", LOG_STR("error", strerrordesc_np(-r)));
        fail(request, 503, "unavailable", "Not at the moment");
    } else if (r > 0) {
        http_respond(request, &(HttpResponse){.status = 204});
    }
    return r == 0;
}

void copy_next_handle(HttpRequest *request, void *context) {
    SyncService *service = context;
    LibraryCopyQuestion question;
    LibraryFile file;
    Uuid user_id;

    if (!read_question(service, request, &question, &user_id) ||
        !is_done(request, library_copy_next(&service->copy.base, &user_id, question.at,
                                            http_request_arena(request), &file))) {
        return;
    }
    const LibraryCopyAnswer answer = {.at = file.at,
                                      .name = file.name,
                                      .text = file.text.ptr,
                                      .at_s = file.at_s,
                                      .size = file.size};
    _cleanup_(json_decrefp) json_t *json = json_write(library_copy_answer_fields, &answer);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);
    http_respond(
        request,
        &(HttpResponse){.status = 200, .content_type = "application/json", .body = str_from(text)});
}

void copy_read_handle(HttpRequest *request, void *context) {
    SyncService *service = context;
    LibraryCopyQuestion question;
    Uuid user_id;

    if (!read_question(service, request, &question, &user_id)) {
        return;
    }
    _cleanup_(freep) void *bytes = malloc((size_t)question.len + 1);
    if (!bytes) {
        abort();
    }
    if (is_done(request, library_copy_read(&service->copy.base, &user_id, question.at,
                                           question.offset, bytes, (size_t)question.len))) {
        http_respond(request, &(HttpResponse){.status = 200,
                                              .content_type = "application/octet-stream",
                                              .body = {bytes, (size_t)question.len}});
    }
}
