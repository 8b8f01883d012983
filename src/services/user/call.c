/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/call.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/http/cookie.h"
#include "base/http/same_origin.h"
#include "base/http/stream.h"
#include "base/log.h"
#include "services/user/profile.h"
#include "services/user/read_token.h"
#include "services/user/sessions.h"

const char *user_call_challenge(UserCall *call, const char *error) {
    static const Str bearer = {"bearer ", 7};
    Str sent = str_from(http_request_header(call->request, "Authorization"));

    if (!error && sent.len >= bearer.len && str_equal_nocase((Str){sent.ptr, bearer.len}, bearer)) {
        error = "invalid_token";
    }
    return error && error[0]
               ? arena_printf(call->arena, "Bearer realm=\"imagesync\", error=\"%s\"", error)
               : "Bearer realm=\"imagesync\"";
}

static void respond_failure(UserCall *call, UserFailure failure) {
    const UserFailureInfo *info = user_failure_info(failure);
    HttpHeader headers[4] = {{"Cache-Control", "no-store"}};
    size_t n = 1;

    if (call->retry_after_s > 0) {
        headers[n++] =
            (HttpHeader){"Retry-After", arena_printf(call->arena, "%u", call->retry_after_s)};
    }
    if (info->status == 401 || call->bearer_error) {
        /* A wrong password beside a good token says nothing of the token. */
        const char *error = failure == USER_FAILURE_SIGNED_OUT ? NULL : "";
        headers[n++] = (HttpHeader){
            "WWW-Authenticate",
            user_call_challenge(call, call->bearer_error ? call->bearer_error : error)};
    }
    http_respond_problem_coded(call->request, &(HttpProblem){.status = info->status,
                                                             .code = info->code,
                                                             .title = info->title,
                                                             .detail = call->detail,
                                                             .headers = headers});
}

static void respond(UserCall *call, const json_t *body) {
    _cleanup_(freep) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    const UserContent json = {.type = "application/json", .bytes = str_from(text)};
    const UserContent *content = body ? &json : &call->content;
    bool kept = call->keeps || call->status == 304;
    HttpHeader headers[6] = {{"Cache-Control", kept ? "private, no-cache" : "no-store"}};
    size_t n = 1;

    if (call->set_cookie) {
        headers[n++] = (HttpHeader){"Set-Cookie", call->set_cookie};
    }
    if (call->written.text[0] != '\0') {
        headers[n++] = (HttpHeader){READ_TOKEN_HEADER, call->written.text};
    }
    if (call->version > 0) {
        headers[n++] =
            (HttpHeader){"ETag", arena_printf(call->arena, "\"%lld\"", (long long)call->version)};
    }
    if (content->save_as) {
        headers[n++] = (HttpHeader){
            "Content-Disposition",
            arena_printf(call->arena, "attachment; filename=\"%s\"", content->save_as)};
    }
    const HttpResponse response = {.status = content->type || kept ? call->status : 204,
                                   .content_type = content->type,
                                   .headers = headers,
                                   .body = content->bytes,
                                   .body_fd = content->fd,
                                   .body_fd_len = content->fd_len};
    if (content->reader) {
        http_respond_reader(call->request, &response, HTTP_LEN_UNKNOWN, content->reader);
        return;
    }
    http_respond(call->request, &response);
}

static bool only_reads(UserCall *call) {
    const char *method = http_request_method(call->request);

    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/*
 * A cookie is sent along by the browser whoever made the request, so one that comes with a cookie
 * and changes something must come from our own pages, and say so. SameSite=Lax alone leaves out
 * older browsers and sister domains.
 */
static bool is_cross_site(UserCall *call) {
    return !only_reads(call) && (!same_origin_request(call->request, call->service->public_url) ||
                                 (sessions_by_cookie(call) && !same_origin_is_told(call->request)));
}

static UserFailure admit(UserCall *call, CallRule rule) {
    const UserSettings *settings = call->service->options.settings;
    UserFailure failure;

    if (is_cross_site(call)) {
        call->detail = "Send this from the site's own pages; programs send a token, and no cookie.";
        return USER_FAILURE_CROSS_SITE;
    }
    if (rule == CALL_RULE_ANYONE) {
        return USER_FAILURE_NONE;
    }
    failure = sessions_authenticate(call);
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (call->by_token && rule != CALL_RULE_SIGNED_IN) {
        call->detail = "This is for people who are signed in here, not for programs.";
        return USER_FAILURE_FORBIDDEN;
    }
    if (rule == CALL_RULE_FRESH && call->now_us - call->session.authenticated_us >
                                       (int64_t)settings->fresh_minutes * 60 * 1000000) {
        call->detail = "This needs a fresh proof: POST /v1/sessions/proof with the "
                       "password or a passkey.";
        return USER_FAILURE_STALE_PROOF;
    }
    return USER_FAILURE_NONE;
}

static UserCall call_of(UserService *service, HttpRequest *request) {
    return (UserCall){.service = service,
                      .request = request,
                      .arena = http_request_arena(request),
                      .now_us = clock_unix_us(),
                      .status = 200};
}

bool user_call_quick(UserService *service, HttpRequest *request, UserRecall *recall) {
    UserCall call = call_of(service, request);

    if (!sessions_recall(&call) || !recall(&call)) {
        return false;
    }
    respond(&call, NULL);
    return true;
}

void user_call_run(UserService *service, HttpRequest *request, CallRule rule, UserHandler *handle) {
    UserCall call = call_of(service, request);
    _cleanup_(json_decrefp) json_t *body = NULL;
    UserFailure failure = admit(&call, rule);

    if (failure == USER_FAILURE_NONE) {
        failure = handle(&call, &body);
    }
    read_token_keep(&call, failure);
    if (!only_reads(&call)) {
        profile_forget(&call);
    }
    if (failure == USER_FAILURE_NONE) {
        respond(&call, body);
    } else {
        respond_failure(&call, failure);
    }
}

static UserFailure of_body(int r) {
    return r == 0                       ? USER_FAILURE_NONE
           : r == JSON_BODY_E_MALFORMED ? USER_FAILURE_MALFORMED_BODY
                                        : USER_FAILURE_INVALID_FIELD;
}

UserFailure user_call_json(UserCall *call, json_t **ret_json) {
    return of_body(json_body_get(call->request, ret_json, &call->detail));
}

UserFailure user_call_read(UserCall *call, const JsonField *fields, void *ret_struct) {
    return user_call_read_members(call, fields, ret_struct, NULL, 0);
}

UserFailure user_call_read_with(UserCall *call, const JsonField *fields, void *ret_struct,
                                const char *member, json_t **ret_value) {
    JsonMember taken = {.name = member};
    UserFailure failure = user_call_read_members(call, fields, ret_struct, &taken, 1);

    if (failure == USER_FAILURE_NONE) {
        *ret_value = taken.value;
    }
    return failure;
}

UserFailure user_call_read_members(UserCall *call, const JsonField *fields, void *ret_struct,
                                   JsonMember *members, size_t n_members) {
    return of_body(
        json_body_read(call->request, fields, ret_struct, members, n_members, &call->detail));
}

UserFailure user_call_fault(UserCall *call, int r) {
    UserFailure failure = user_failure_of_fault(r);

    log_error("user request failed", LOG_STR("request_id", http_request_id(call->request)),
              LOG_STR("path", http_request_path(call->request)), LOG_STR("error", strerror(-r)));
    if (failure == USER_FAILURE_UNAVAILABLE) {
        call->retry_after_s = 1;
        call->detail = "Please try again in a moment.";
    }
    return failure;
}

UserFailure user_call_version(UserCall *call, int64_t *ret_version) {
    int r = if_match_version(call->request, ret_version);

    if (r == IF_MATCH_E_ABSENT) {
        call->detail = "Send If-Match with the ETag that GET gave.";
        return USER_FAILURE_VERSION_REQUIRED;
    }
    return r == 0 ? USER_FAILURE_NONE : USER_FAILURE_STALE_VERSION;
}

SessionDevice user_call_device(UserCall *call, const char *name) {
    const char *agent = http_request_header(call->request, "User-Agent");
    Buf clean = BUF_INIT;

    for (size_t i = 0; agent && agent[i] && i < 300; i++) {
        /* ASCII, whatever was sent: the header has no encoding. */
        bool visible = agent[i] >= ' ' && agent[i] <= '~';
        buf_add(&clean, visible ? &agent[i] : "?", 1);
    }
    agent = arena_strdup(call->arena, buf_str(&clean));
    buf_done(&clean);
    return (SessionDevice){name, agent, http_request_peer(call->request)};
}

AuditEvent user_call_event(UserCall *call, const char *action, const char *subject) {
    SessionDevice device = user_call_device(call, "");
    char *session = NULL;

    if (call->signed_in) {
        session = arena_alloc(call->arena, UUID_TEXT_SIZE);
        uuid_text(&call->session.session_id, session);
    }
    return (AuditEvent){action, device.address, device.agent, session, subject};
}

const char *user_call_cookie(UserCall *call, const char *token) {
    const UserSettings *settings = call->service->options.settings;
    const HttpCookie cookie = {
        .name = SESSION_COOKIE(call->service->secure),
        .value = token ? token : "",
        .max_age_s = token ? (int64_t)settings->session_days * 86400 : -1,
        .same_site = HTTP_SAME_SITE_LAX,
        .secure = call->service->secure,
        .http_only = true,
    };
    const char *value;

    if (http_cookie_format(&cookie, call->arena, &value) < 0) {
        abort(); /* a token is base64url, and the names keep their prefixes' rules */
    }
    return value;
}
