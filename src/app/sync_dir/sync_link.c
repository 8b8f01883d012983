/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/sync_link.h"

#include "app/login/remote.h"
#include "base/clock.h"
#include "base/crypto/secret.h"
#include "base/error.h"

#include <stdio.h>

#define SILENCE_S      60
#define ACCESS_LIFE_MS 20000
#define WAIT_MAX_S     3600

void sync_link_server_start(SyncLinkServer *server) {
    pthread_mutex_init(&server->lock, NULL);
}

void sync_link_server_done(SyncLinkServer *server) {
    secret_wipe(server->access, sizeof(server->access));
    pthread_mutex_destroy(&server->lock);
}

void sync_link_open(SyncLink *link, SyncLinkServer *server) {
    *link = (SyncLink){.server = server, .session = http_session_new(), .arena = arena_new()};
}

void sync_link_close(SyncLink *link) {
    link->session = http_session_free(link->session);
    link->arena = arena_free(link->arena);
}

void sync_link_reset(SyncLink *link) {
    arena_free(link->arena);
    link->arena = arena_new();
    link->error = NULL;
    link->wait_ms = 0;
}

void sync_link_answer_done(SyncLinkAnswer *answer) {
    json_decref(answer->json);
    answer->json = NULL;
}

static int renew_access(SyncLink *link) {
    SyncLinkServer *server = link->server;
    Remote remote = {.server = server->url,
                     .ca_file = server->ca_file,
                     .stop_fd = server->stop_fd,
                     .arena = link->arena};
    const char *token;
    int r = remote_token(&remote, server->credentials_path, &token);

    if (r == REMOTE_E_SIGNED_OUT) {
        link->error =
            arena_printf(link->arena, "not signed in to %s; run 'imagesync login'", server->url);
        return SYNC_LINK_E_SIGNED_OUT;
    }
    if (r < 0) {
        link->error = remote.error ? remote.error : strerrordesc_np(-r);
        return r == -EINTR ? r : SYNC_LINK_E_AWAY;
    }
    if (strlen(token) >= sizeof(server->access)) {
        return -EMSGSIZE;
    }
    snprintf(server->access, sizeof(server->access), "%s", token);
    server->access_until_ms = clock_mono_ms() + ACCESS_LIFE_MS;
    return 0;
}

/* "Authorization: Bearer ...", in the arena. */
static int authorise(SyncLink *link, bool anew, const char **ret_header) {
    SyncLinkServer *server = link->server;
    int r = 0;

    if (server->token) {
        *ret_header = arena_printf(link->arena, "Authorization: Bearer %s", server->token);
        return 0;
    }
    pthread_mutex_lock(&server->lock);
    if (anew || clock_mono_ms() >= server->access_until_ms) {
        r = renew_access(link);
    }
    if (r == 0) {
        *ret_header = arena_printf(link->arena, "Authorization: Bearer %s", server->access);
    }
    pthread_mutex_unlock(&server->lock);
    return r;
}

static const char *text_of(SyncLink *link, const json_t *json, const char *name) {
    const char *text = json_string_value(json_object_get(json, name));

    return text ? arena_strdup(link->arena, str_from(text)) : "";
}

/* What the answer's status says of those that come after it. */
static int judge(SyncLink *link, const SyncLinkAnswer *answer) {
    const char *after = http_client_header(&answer->http, "Retry-After");
    uint64_t seconds = 0;

    if (answer->status == 401 || answer->status == 403) {
        link->error = arena_printf(
            link->arena, "%s does not let us in (%u): %s", link->server->url, answer->status,
            answer->reason[0] ? answer->reason : "sign in, or use a key with the scope library");
        return SYNC_LINK_E_SIGNED_OUT;
    }
    if (answer->status == 429 || answer->status == 408 || answer->status == 423 ||
        answer->status >= 500) {
        link->error = arena_printf(link->arena, "%s answers with %u%s%s", link->server->url,
                                   answer->status, answer->reason[0] ? ": " : "", answer->reason);
        if (after && str_to_u64(str_from(after), &seconds) == 0) {
            link->wait_ms = (uint32_t)MIN(seconds, (uint64_t)WAIT_MAX_S) * 1000;
        }
        return SYNC_LINK_E_AWAY;
    }
    return 0;
}

static void read_answer(SyncLink *link, SyncLinkAnswer *answer) {
    answer->status = (unsigned)answer->http.status;
    answer->json = json_loadb(answer->http.body.ptr, answer->http.body.len, 0, NULL);
    if (!json_is_object(answer->json)) {
        json_decref(answer->json);
        answer->json = NULL;
    }
    answer->code = text_of(link, answer->json, "code");
    answer->reason = text_of(link, answer->json, "detail");
    if (!answer->reason[0]) {
        answer->reason = text_of(link, answer->json, "title");
    }
}

static int try_call(SyncLink *link, const SyncLinkCall *call, const char *authorization, Str body,
                    SyncLinkAnswer *answer) {
    const char *headers[ARRAY_LEN(call->headers) + 3] = {authorization}, *reason = "";
    const HttpExchange exchange = {
        .method = call->method,
        .url = arena_printf(link->arena, "%s%s", link->server->url, call->path),
        .headers = headers,
        .body = body,
        .body_len = call->body_len,
        .read = call->read,
        .write = call->write,
        .userdata = call->userdata,
        .ca_file = link->server->ca_file,
        .silence_s = call->silence_s > 0 ? call->silence_s : SILENCE_S,
        .stop_fd = link->server->stop_fd};
    size_t n = 1;
    int r;

    for (size_t i = 0; i < ARRAY_LEN(call->headers) && call->headers[i]; i++) {
        headers[n++] = call->headers[i];
    }
    if (call->json) {
        headers[n++] = "Content-Type: application/json";
    }
    r = http_exchange(link->session, &exchange, link->arena, &answer->http, &reason);
    if (r == -ENOTCONN) {
        link->error =
            arena_printf(link->arena, "%s cannot be reached: %s", link->server->url, reason);
        return SYNC_LINK_E_AWAY;
    }
    if (r == 0) {
        read_answer(link, answer);
    }
    return r;
}

int sync_link_call(SyncLink *link, const SyncLinkCall *call, SyncLinkAnswer *ret_answer) {
    _cleanup_(freep) char *body = call->json ? json_dumps(call->json, JSON_COMPACT) : NULL;
    SyncLinkAnswer answer = {0};
    const char *authorization;
    int r = authorise(link, false, &authorization);

    if (r == 0) {
        r = try_call(link, call, authorization, str_from(body), &answer);
    }
    /* What was revoked or has expired a moment ago is renewed once; a body that streams is gone. */
    if (r == 0 && answer.status == 401 && !link->server->token && !call->read) {
        sync_link_answer_done(&answer);
        answer = (SyncLinkAnswer){0};
        r = authorise(link, true, &authorization);
        if (r == 0) {
            r = try_call(link, call, authorization, str_from(body), &answer);
        }
    }
    if (r == 0) {
        r = judge(link, &answer);
    }
    if (r != 0) {
        sync_link_answer_done(&answer);
        return r;
    }
    *ret_answer = answer;
    return 0;
}
