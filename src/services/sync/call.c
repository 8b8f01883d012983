/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/call.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/http/cookie.h"
#include "base/http/same_origin.h"
#include "base/log.h"
#include "core/events/event_log.h"
#include "services/sync/mutation.h"

static bool only_reads(SyncCall *call) {
    const char *method = http_request_method(call->request);

    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* What stands after "Bearer"; else the session's cookie. */
static Str credential(SyncCall *call, bool *ret_by_cookie) {
    static const Str bearer = {"bearer ", 7};
    const char *authorization = http_request_header(call->request, "Authorization");
    Str value = str_trim(str_from(authorization));
    const char *cookie;

    *ret_by_cookie = false;
    if (value.len > bearer.len && str_equal_nocase((Str){value.ptr, bearer.len}, bearer)) {
        return str_trim((Str){value.ptr + bearer.len, value.len - bearer.len});
    }
    cookie = http_request_cookie(call->request, "__Host-session");
    if (!cookie) {
        cookie = http_request_cookie(call->request, "session");
    }
    *ret_by_cookie = cookie != NULL;
    return str_from(cookie);
}

/* The browser sends a cookie whoever made the request: from our own pages alone it may change
 * anything. */
static bool is_cross_site(SyncCall *call, bool by_cookie) {
    return !only_reads(call) && (!same_origin_request(call->request, NULL) ||
                                 (by_cookie && !same_origin_is_told(call->request)));
}

SyncFailure sync_call_admit(SyncService *service, HttpRequest *request, SyncCall *ret_call) {
    SyncCall *call = ret_call;
    bool by_cookie;
    Str shown;
    int r;

    *call = (SyncCall){.service = service,
                       .request = request,
                       .arena = http_request_arena(request),
                       .now_us = clock_unix_us(),
                       .status = 200};
    shown = credential(call, &by_cookie);
    if (by_cookie && is_cross_site(call, by_cookie)) {
        call->detail = "Send this from the site's own pages; programs send a token, and no cookie.";
        return SYNC_FAILURE_CROSS_SITE;
    }
    call->credential = shown;
    if (shown.len == 0) {
        return SYNC_FAILURE_SIGNED_OUT;
    }
    r = access_find_caller(service->options.access, shown, &call->caller);
    if (r == 0 && !(call->caller.scopes & ACCESS_SCOPE_LIBRARY)) {
        call->detail = "This needs a key or an access token with the scope library.";
        return SYNC_FAILURE_FORBIDDEN;
    }
    if (r == 0) {
        r = library_key_get(service->keys, &call->caller.user_id, &call->key);
    }
    if (r < 0) {
        return sync_call_fault(call, r);
    }
    return r == 0 ? SYNC_FAILURE_NONE : SYNC_FAILURE_SIGNED_OUT;
}

void sync_call_done(SyncCall *call) {
    user_key_done(&call->key);
    json_decref(call->body);
    json_decref(call->problem);
    call->body = call->problem = NULL;
}

static const char *challenge(SyncCall *call, SyncFailure failure) {
    if (failure == SYNC_FAILURE_FORBIDDEN) {
        return "Bearer realm=\"imagesync\", error=\"insufficient_scope\", scope=\"library\"";
    }
    return http_request_header(call->request, "Authorization")
               ? "Bearer realm=\"imagesync\", error=\"invalid_token\""
               : "Bearer realm=\"imagesync\"";
}

#define HEADERS_MAX 12

static size_t add_headers(const SyncCall *call, HttpHeader headers[HEADERS_MAX]) {
    size_t n = 0;

    headers[n++] = (HttpHeader){"Cache-Control", "no-store"};
    for (const HttpHeader *more = call->headers; more && more->name; more++) {
        headers[n++] = *more;
    }
    return n;
}

static void respond_failure(SyncCall *call, SyncFailure failure) {
    const SyncFailureInfo *info = sync_failure_info(failure);
    HttpHeader headers[HEADERS_MAX] = {0};
    size_t n = add_headers(call, headers);

    if (call->retry_after_s > 0) {
        headers[n++] =
            (HttpHeader){"Retry-After", arena_printf(call->arena, "%u", call->retry_after_s)};
    }
    if (failure == SYNC_FAILURE_SIGNED_OUT || failure == SYNC_FAILURE_FORBIDDEN) {
        headers[n++] = (HttpHeader){"WWW-Authenticate", challenge(call, failure)};
    }
    http_respond_problem_coded(call->request, &(HttpProblem){.status = info->status,
                                                             .code = info->code,
                                                             .title = info->title,
                                                             .detail = call->detail,
                                                             .headers = headers,
                                                             .members = call->problem});
}

void sync_call_respond(SyncCall *call, SyncFailure failure) {
    _cleanup_(freep) char *text = NULL;
    HttpHeader headers[HEADERS_MAX] = {0};
    size_t n;

    if (failure != SYNC_FAILURE_NONE) {
        respond_failure(call, failure);
        return;
    }
    n = add_headers(call, headers);
    if (call->version > 0) {
        headers[n] =
            (HttpHeader){"ETag", arena_printf(call->arena, "\"%lld\"", (long long)call->version)};
    }
    if (call->body) {
        text = json_dumps(call->body, JSON_COMPACT);
    }
    http_respond(call->request,
                 &(HttpResponse){.status = text || call->status != 200 ? call->status : 204,
                                 .content_type = text ? "application/json" : NULL,
                                 .headers = headers,
                                 .body = str_from(text)});
}

void sync_call_run(SyncService *service, HttpRequest *request, SyncHandler *handle) {
    _cleanup_(sync_call_done) SyncCall call;
    SyncFailure failure = sync_call_admit(service, request, &call);

    if (failure == SYNC_FAILURE_NONE) {
        failure = handle(&call);
    }
    sync_call_respond(&call, failure);
}

static SyncFailure of_body(int r) {
    return r == 0                       ? SYNC_FAILURE_NONE
           : r == JSON_BODY_E_MALFORMED ? SYNC_FAILURE_MALFORMED_BODY
                                        : SYNC_FAILURE_INVALID_FIELD;
}

SyncFailure sync_call_read(SyncCall *call, const JsonField *fields, void *ret_struct) {
    return sync_call_read_members(call, fields, ret_struct, NULL, 0);
}

SyncFailure sync_call_read_members(SyncCall *call, const JsonField *fields, void *ret_struct,
                                   JsonMember *members, size_t n_members) {
    return of_body(
        json_body_read(call->request, fields, ret_struct, members, n_members, &call->detail));
}

SyncFailure sync_call_version(SyncCall *call, int64_t *ret_version) {
    int r = if_match_version(call->request, ret_version);

    if (r == IF_MATCH_E_ABSENT) {
        call->detail = "Send If-Match with the ETag that GET gave.";
        return SYNC_FAILURE_VERSION_REQUIRED;
    }
    if (r != 0) {
        *ret_version = 0; /* of no object: whoever compares says that it is stale, with both */
    }
    return SYNC_FAILURE_NONE;
}

SyncFailure sync_call_id(SyncCall *call, const char *name, Uuid *ret_id) {
    return uuid_parse(str_from(http_request_param(call->request, name)), ret_id) == 0
               ? SYNC_FAILURE_NONE
               : SYNC_FAILURE_NOT_FOUND;
}

SyncFailure sync_call_fault(SyncCall *call, int r) {
    SyncFailure failure = sync_failure_of_fault(r);

    log_error("sync request failed", LOG_STR("request_id", http_request_id(call->request)),
              LOG_STR("path", http_request_path(call->request)), LOG_STR("error", strerror(-r)));
    if (failure == SYNC_FAILURE_UNAVAILABLE) {
        call->retry_after_s = 1;
        call->detail = "Please try again in a moment.";
    }
    return failure;
}

typedef struct Run {
    SyncCall *call;
    SyncWork *work;
    void *userdata;
    const Mutation *mutation; /* NULL: the request does not name itself */
    SyncFailure failure;
    int64_t seq; /* how far the log goes with what was written; 0: nothing was */
} Run;

enum {
    RUN_E_UNDO = 1,
};

static void reset(SyncCall *call) {
    json_decref(call->body);
    json_decref(call->problem);
    call->body = call->problem = NULL;
    call->status = 200;
    call->version = 0;
}

static int run(DbTx *tx, void *userdata) {
    Run *run = userdata;
    int r;

    run->failure = SYNC_FAILURE_NONE;
    reset(run->call);
    if (run->mutation) {
        r = mutation_recall(tx, run->call, run->mutation);
        if (r == MUTATION_E_REUSED) {
            run->failure = SYNC_FAILURE_REUSED_ID;
            return RUN_E_UNDO;
        }
        if (r <= 0) {
            return err_trace(r); /* 0: answered before */
        }
    }
    r = run->work(tx, run->call, run->userdata, &run->failure);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    if (run->failure != SYNC_FAILURE_NONE) {
        return RUN_E_UNDO;
    }
    return run->mutation ? err_trace(mutation_keep(tx, run->call, run->mutation)) : 0;
}

static int run_write(DbTx *tx, void *userdata) {
    Run *whole = userdata;
    EventHead head;
    int r;

    whole->seq = 0;
    r = run(tx, whole);
    if (r == 0) {
        r = event_log_head(tx, &whole->call->caller.user_id, SYNC_TOPIC, whole->call->arena, &head);
        whole->seq = r == 0 ? head.seq : 0;
    }
    return r;
}

SyncFailure sync_call_write(SyncCall *call, SyncWork *work, void *userdata) {
    Mutation mutation;
    Run whole = {.call = call, .work = work, .userdata = userdata};
    int r = mutation_of(call, &mutation);

    if (r < 0) {
        call->detail = "Idempotency-Key: give a new UUID of version 7 for each change.";
        return SYNC_FAILURE_INVALID_FIELD;
    }
    whole.mutation = r == 0 ? &mutation : NULL;
    r = db_write(call->service->options.db, run_write, &whole, NULL);
    if (r == 0) {
        event_feed_announce(call->service->feed, &call->caller.user_id, SYNC_TOPIC, whole.seq);
    }
    return r < 0 ? sync_call_fault(call, r) : whole.failure;
}

SyncFailure sync_call_write_plain(SyncCall *call, SyncWork *work, void *userdata) {
    Run whole = {.call = call, .work = work, .userdata = userdata};
    int r = db_write(call->service->options.db, run, &whole, NULL);

    return r < 0 ? sync_call_fault(call, r) : whole.failure;
}

SyncFailure sync_call_look(SyncCall *call, SyncWork *work, void *userdata) {
    Run whole = {.call = call, .work = work, .userdata = userdata};
    int r = db_read(call->service->options.db, NULL, run, &whole);

    return r < 0 ? sync_call_fault(call, r) : whole.failure;
}
