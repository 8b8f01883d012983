/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/library_service.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "services/sync/copy/copy_files.h"
#include "services/sync/erase.h"

void sync_library_service_init(SyncService *service) {
    static const LibraryServiceImpl impl = {
        .next = copy_files_next, .read = copy_files_read, .erase = library_erase};

    service->libraries = (SyncLibraryService){{&impl}, service};
}

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
                          LibraryServiceQuestion *ret_question, Uuid *ret_user_id) {
    Str body = http_request_body(request);
    _cleanup_(json_decrefp) json_t *json = NULL;
    const char *where;

    if (!is_the_user_service(service, request)) {
        fail(request, 401, "service_token_required", "Not one of our services");
        return false;
    }
    json = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, NULL);
    *ret_question = (LibraryServiceQuestion){.at = ""};
    if (!json ||
        json_read(json, library_service_question_fields, http_request_arena(request), ret_question,
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
        log_error("a library is not copied or erased", LOG_STR("error", strerrordesc_np(-r)));
        fail(request, 503, "unavailable", "Not at the moment");
    } else if (r > 0) {
        http_respond(request, &(HttpResponse){.status = 204});
    }
    return r == 0;
}

void library_service_next_handle(HttpRequest *request, void *context) {
    SyncService *service = context;
    LibraryServiceQuestion question;
    LibraryFile file;
    Uuid user_id;

    if (!read_question(service, request, &question, &user_id) ||
        !is_done(request, library_service_next(&service->libraries.base, &user_id, question.at,
                                               http_request_arena(request), &file))) {
        return;
    }
    const LibraryServiceAnswer answer = {.at = file.at,
                                         .name = file.name,
                                         .text = file.text.ptr,
                                         .at_s = file.at_s,
                                         .size = file.size};
    _cleanup_(json_decrefp) json_t *json = json_write(library_service_answer_fields, &answer);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);
    http_respond(
        request,
        &(HttpResponse){.status = 200, .content_type = "application/json", .body = str_from(text)});
}

void library_service_read_handle(HttpRequest *request, void *context) {
    SyncService *service = context;
    LibraryServiceQuestion question;
    Uuid user_id;

    if (!read_question(service, request, &question, &user_id)) {
        return;
    }
    _cleanup_(freep) void *bytes = malloc((size_t)question.len + 1);
    if (!bytes) {
        abort();
    }
    if (is_done(request, library_service_read(&service->libraries.base, &user_id, question.at,
                                              question.offset, bytes, (size_t)question.len))) {
        http_respond(request, &(HttpResponse){.status = 200,
                                              .content_type = "application/octet-stream",
                                              .body = {bytes, (size_t)question.len}});
    }
}

void library_service_erase_handle(HttpRequest *request, void *context) {
    SyncService *service = context;
    _cleanup_(json_decrefp) json_t *json = NULL;
    _cleanup_(freep) char *text = NULL;
    LibraryServiceQuestion question;
    json_t *rows;
    Uuid user_id;
    int r;

    if (!read_question(service, request, &question, &user_id)) {
        return;
    }
    rows = json_object();
    json = json_pack("{s:o}", "rows", rows);
    r = library_service_erase(&service->libraries.base, &user_id, rows);
    if (!is_done(request, r == LIBRARY_SERVICE_E_MORE ? 0 : r)) {
        return;
    }
    json_object_set_new(json, "more", json_boolean(r == LIBRARY_SERVICE_E_MORE));
    text = json_dumps(json, JSON_COMPACT);
    http_respond(
        request,
        &(HttpResponse){.status = 200, .content_type = "application/json", .body = str_from(text)});
}
