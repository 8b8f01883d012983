/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/service_api.h"

#include "base/clock.h"
#include "base/crypto/base64url.h"
#include "base/error.h"
#include "base/log.h"
#include "core/contracts/access_wire.h"
#include "services/user/failure.h"

#define BODY_MAX ((size_t)2 * ACCESS_CREDENTIAL_LEN_MAX)

/* Answers itself with a fault or condition of the contract. */
typedef int Verb(Access *access, const AccessQuestion *question, AccessAnswer *answer,
                 Arena *arena);

static int read_id(const char *text, Uuid *ret_id) {
    return text ? uuid_parse(str_from(text), ret_id) : -EINVAL;
}

static const char *write_id(const Uuid *id, Arena *arena) {
    char text[UUID_TEXT_SIZE];

    uuid_text(id, text);
    return arena_strdup(arena, str_from(text));
}

static int find_key(Access *access, const AccessQuestion *question, AccessAnswer *answer,
                    Arena *arena) {
    AccessKey key;
    int r = question->key ? access_find_key(access, str_from(question->key), &key) : -EINVAL;

    if (r == 0) {
        answer->user_id = write_id(&key.user_id, arena);
        answer->key_id = write_id(&key.key_id, arena);
        answer->scopes = key.scopes;
        answer->expires_us = (uint64_t)key.expires_us;
    }
    return r;
}

static int find_caller(Access *access, const AccessQuestion *question, AccessAnswer *answer,
                       Arena *arena) {
    AccessCaller caller;
    int r = question->credential
                ? access_find_caller(access, str_from(question->credential), &caller)
                : -EINVAL;

    if (r == 0) {
        answer->user_id = write_id(&caller.user_id, arena);
        answer->device_id = write_id(&caller.device_id, arena);
        answer->scopes = caller.scopes;
        answer->expires_us = (uint64_t)caller.expires_us;
    }
    return r;
}

static int library_key(Access *access, const AccessQuestion *question, AccessAnswer *answer,
                       Arena *arena) {
    _cleanup_(user_key_done) UserKey key = {0};
    _cleanup_(buf_done) Buf text = BUF_INIT;
    Uuid user_id;
    int r = read_id(question->user_id, &user_id);

    if (r == 0) {
        r = access_library_key(access, &user_id, &key);
    }
    if (r == 0) {
        base64url_encode((Str){(const char *)key.bytes, sizeof(key.bytes)}, &text);
        answer->secret = arena_strdup(arena, buf_str(&text));
    }
    return r;
}

static int credits(Access *access, const AccessQuestion *question, AccessAnswer *answer,
                   Arena *arena) {
    Uuid user_id;
    int r = read_id(question->user_id, &user_id);

    (void)arena;
    return r < 0 ? r : access_credits(access, &user_id, &answer->available);
}

static int read_reservation(const AccessQuestion *question, AccessReservation *ret_reservation) {
    int r = read_id(question->user_id, &ret_reservation->user_id);

    ret_reservation->amount = question->amount;
    return r < 0 ? r : read_id(question->reservation_id, &ret_reservation->reservation_id);
}

static int reserve(Access *access, const AccessQuestion *question, AccessAnswer *answer,
                   Arena *arena) {
    AccessReservation reservation;
    int r = read_reservation(question, &reservation);

    (void)answer;
    (void)arena;
    return r < 0 ? r : access_reserve(access, &reservation);
}

static int charge(Access *access, const AccessQuestion *question, AccessAnswer *answer,
                  Arena *arena) {
    AccessReservation reservation;
    int r = read_reservation(question, &reservation);

    (void)answer;
    (void)arena;
    return r < 0 ? r : access_charge(access, &reservation);
}

static int release(Access *access, const AccessQuestion *question, AccessAnswer *answer,
                   Arena *arena) {
    AccessReservation reservation;
    int r = read_reservation(question, &reservation);

    (void)answer;
    (void)arena;
    return r < 0 ? r : access_release(access, &reservation);
}

static int ping(Access *access, const AccessQuestion *question, AccessAnswer *answer,
                Arena *arena) {
    (void)access;
    (void)question;
    (void)answer;
    (void)arena;
    return 0;
}

/* Who may ask: keys of libraries are for the sync service alone. */
enum {
    BY_IMAGE = 1 << 0,
    BY_SYNC = 1 << 1,
};

static bool is_of(const ServiceVerifier *verifier, Str token) {
    return verifier && service_token_verify(verifier, token, clock_unix_s()) == 0;
}

static bool is_one_of_ours(UserService *service, HttpRequest *request, unsigned by) {
    static const Str bearer = {"Bearer ", 7};
    const char *header = http_request_header(request, "Authorization");
    Str value = str_from(header), token;

    if (!header || !str_starts_with(value, bearer)) {
        return false;
    }
    token = (Str){value.ptr + bearer.len, value.len - bearer.len};
    if (by & BY_SYNC && is_of(service->options.sync_verifier, token)) {
        service->sync_asks = true;
        return true;
    }
    return by & BY_IMAGE && is_of(service->options.image_verifier, token);
}

static void refuse(UserService *service, HttpRequest *request) {
    static const HttpHeader headers[] = {{"WWW-Authenticate", "Bearer"}, {0}};

    metric_add(service->metrics.service_calls_refused, 1);
    log_warn("service token refused", LOG_STR("request_id", http_request_id(request)),
             LOG_STR("peer", http_request_peer(request)),
             LOG_STR("path", http_request_path(request)));
    http_respond_problem_coded(request, &(HttpProblem){.status = 401,
                                                       .code = "service_token_required",
                                                       .title = "Not one of our services",
                                                       .headers = headers});
}

static void fail(HttpRequest *request, int r) {
    static const HttpHeader later[] = {{"Retry-After", "1"}, {0}};
    bool ours = r != -EINVAL;
    const UserFailureInfo *info =
        user_failure_info(ours ? user_failure_of_fault(r) : USER_FAILURE_INVALID_FIELD);

    log_error("service call failed", LOG_STR("request_id", http_request_id(request)),
              LOG_STR("path", http_request_path(request)), LOG_STR("error", strerror(-r)));
    http_respond_problem_coded(request,
                               &(HttpProblem){.status = info->status,
                                              .code = info->code,
                                              .title = info->title,
                                              .headers = info->status == 503 ? later : NULL});
}

static int read_question(HttpRequest *request, AccessQuestion *ret_question) {
    Str body = http_request_body(request);
    _cleanup_(json_decrefp) json_t *json =
        json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, NULL);
    const char *where;

    return json ? json_read(json, access_question_fields, http_request_arena(request), ret_question,
                            &where)
                : -EINVAL;
}

static void run(UserService *service, HttpRequest *request, unsigned by, Verb *verb) {
    AccessQuestion question = {0};
    AccessAnswer answer = {0};
    int r;

    if (!is_one_of_ours(service, request, by)) {
        refuse(service, request);
        return;
    }
    r = read_question(request, &question);
    if (r == 0) {
        r = verb(&service->access.base, &question, &answer, http_request_arena(request));
    }
    if (r < 0) {
        fail(request, r);
        return;
    }
    answer.result = r;
    _cleanup_(json_decrefp) json_t *json = json_write(access_answer_fields, &answer);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);
    http_respond(
        request,
        &(HttpResponse){.status = 200, .content_type = "application/json", .body = str_from(text)});
}

static void key_handle(HttpRequest *request, void *context) {
    run(context, request, BY_IMAGE, find_key);
}

static void caller_handle(HttpRequest *request, void *context) {
    run(context, request, BY_SYNC, find_caller);
}

static void library_key_handle(HttpRequest *request, void *context) {
    run(context, request, BY_SYNC, library_key);
}

static void credits_handle(HttpRequest *request, void *context) {
    run(context, request, BY_IMAGE, credits);
}

static void reserve_handle(HttpRequest *request, void *context) {
    run(context, request, BY_IMAGE, reserve);
}

static void charge_handle(HttpRequest *request, void *context) {
    run(context, request, BY_IMAGE, charge);
}

static void release_handle(HttpRequest *request, void *context) {
    run(context, request, BY_IMAGE, release);
}

static void ping_handle(HttpRequest *request, void *context) {
    run(context, request, BY_IMAGE | BY_SYNC, ping);
}

HttpRouteGroup service_api_group(UserService *service) {
    static HttpHandler *const handlers[_ACCESS_VERB_MAX] = {
        [ACCESS_VERB_KEY] = key_handle,
        [ACCESS_VERB_CALLER] = caller_handle,
        [ACCESS_VERB_LIBRARY_KEY] = library_key_handle,
        [ACCESS_VERB_CREDITS] = credits_handle,
        [ACCESS_VERB_RESERVE] = reserve_handle,
        [ACCESS_VERB_CHARGE] = charge_handle,
        [ACCESS_VERB_RELEASE] = release_handle,
        [ACCESS_VERB_PING] = ping_handle,
    };

    bool is_asked = service->options.image_verifier || service->options.sync_verifier;

    for (int i = 0; is_asked && i < _ACCESS_VERB_MAX; i++) {
        service->service_routes[i] = (HttpRoute){.method = "POST",
                                                 .path = access_wire_paths[i],
                                                 .handle = handlers[i],
                                                 .body_max = BODY_MAX,
                                                 .blocks = true};
    }
    return (HttpRouteGroup){.prefix = "/internal/",
                            .routes = service->service_routes,
                            .context = service,
                            .executor = service->options.service_executor};
}
