/* SPDX-License-Identifier: Apache-2.0 */
#include "app/login/remote.h"

#include "base/clock.h"
#include "base/crypto/secret.h"
#include "base/error.h"
#include "base/http/call.h"
#include "base/http/form.h"

#include <signal.h>

#define CALL_TIMEOUT_MS 30000
#define RENEW_BEFORE_S  30
#define URL_LEN_MAX     200

void remote_answer_done(RemoteAnswer *answer) {
    json_decref(answer->json);
    answer->json = NULL;
}

bool remote_is_plain(const char *text) {
    for (; *text; text++) {
        if (*text < ' ' || *text > '~') {
            return false;
        }
    }
    return true;
}

static bool is_this_machine(Str authority) {
    static const Str hosts[] = {{"127.0.0.1", 9}, {"[::1]", 5}, {"localhost", 9}};

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        if (str_starts_with(authority, hosts[i]) &&
            (authority.len == hosts[i].len || authority.ptr[hosts[i].len] == ':')) {
            return true;
        }
    }
    return false;
}

int remote_normalise(const char *url, bool plain, Arena *arena, const char **ret_server,
                     const char **reterr) {
    Str text = str_from(url), rest;
    bool tls = str_starts_with(text, str_lit("https://"));
    size_t scheme_len = strlen(tls ? "https://" : "http://");

    while (text.len > 0 && text.ptr[text.len - 1] == '/') {
        text.len--;
    }
    if ((!tls && !str_starts_with(text, str_lit("http://"))) || text.len <= scheme_len ||
        text.len > URL_LEN_MAX || !remote_is_plain(url) || memchr(text.ptr, ' ', text.len)) {
        *reterr = "give the server's address, such as https://photos.example.com";
        return -EINVAL;
    }
    rest = (Str){text.ptr + scheme_len, text.len - scheme_len};
    if (memchr(rest.ptr, '/', rest.len) || memchr(rest.ptr, '?', rest.len) ||
        memchr(rest.ptr, '#', rest.len) || memchr(rest.ptr, '@', rest.len)) {
        *reterr = "the server's address is a host, perhaps with a port, and nothing after it";
        return -EINVAL;
    }
    if (!tls && !plain && !is_this_machine(rest)) {
        *reterr = "without https anybody on the way can read what you sign in with; if you trust "
                  "the network, say --plain-http";
        return -EINVAL;
    }
    *ret_server = arena_strdup(arena, text);
    return 0;
}

int remote_call(Remote *remote, const char *path, const char *form, const char *bearer,
                RemoteAnswer *ret_answer) {
    const HttpCall call = {.url = arena_printf(remote->arena, "%s%s", remote->server, path),
                           .form = form,
                           .bearer = bearer,
                           .ca_file = remote->ca_file,
                           .timeout_ms = CALL_TIMEOUT_MS,
                           .stop_fd = remote->stop_fd};
    const char *reason = "", *error;
    HttpAnswer answer;
    json_t *json;
    int r = http_call(&call, remote->arena, &answer, &reason);

    if (r < 0) {
        remote->error =
            arena_printf(remote->arena, "%s cannot be reached: %s", remote->server, reason);
        return r;
    }
    json = json_loadb(answer.body.ptr, answer.body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        json = NULL;
    }
    error = json_string_value(json_object_get(json, "error"));
    *ret_answer = (RemoteAnswer){
        answer.status, json,
        error && remote_is_plain(error) ? arena_strdup(remote->arena, str_from(error)) : ""};
    return 0;
}

static int not_ours(Remote *remote) {
    remote->error = arena_printf(
        remote->arena, "%s is no Image Sync server, or one that knows no accounts", remote->server);
    return -ENOTCONN;
}

int remote_check(Remote *remote) {
    _cleanup_(remote_answer_done) RemoteAnswer answer = {0};
    const char *issuer;
    int r = remote_call(remote, "/.well-known/openid-configuration", NULL, NULL, &answer);

    if (r < 0) {
        return r;
    }
    issuer = json_string_value(json_object_get(answer.json, "issuer"));
    if (answer.status != 200 || !issuer || !remote_is_plain(issuer) ||
        !json_object_get(answer.json, "device_authorization_endpoint")) {
        return not_ours(remote);
    }
    if (strcmp(issuer, remote->server) != 0) {
        remote->error = arena_printf(remote->arena,
                                     "the server at %s says that it is %s: use "
                                     "that address",
                                     remote->server, issuer);
        return -ENOTCONN;
    }
    return 0;
}

int remote_read_tokens(Remote *remote, const RemoteAnswer *answer, Credential *ret_credential) {
    const char *access = json_string_value(json_object_get(answer->json, "access_token"));
    const char *refresh = json_string_value(json_object_get(answer->json, "refresh_token"));
    json_int_t life_s = json_integer_value(json_object_get(answer->json, "expires_in"));

    if (!access || !refresh || !remote_is_plain(access) || !remote_is_plain(refresh) ||
        life_s < 1 || life_s > INT32_MAX) {
        remote->error = arena_printf(remote->arena, "%s gave no tokens", remote->server);
        return -EBADMSG;
    }
    *ret_credential =
        (Credential){remote->server, arena_strdup(remote->arena, str_from(access)),
                     arena_strdup(remote->arena, str_from(refresh)), clock_unix_s() + life_s};
    return 0;
}

/* With the lock held. */
static int renew(Remote *remote, const char *path, Credentials *credentials, Credential *mine) {
    _cleanup_(remote_answer_done) RemoteAnswer answer = {0};
    _cleanup_(buf_done) Buf form = BUF_INIT;
    Credential credential;
    int r;

    form_add_param(&form, "grant_type", "refresh_token");
    form_add_param(&form, "client_id", REMOTE_CLIENT_ID);
    form_add_param(&form, "refresh_token", mine->refresh_token);
    r = remote_call(remote, "/oauth/token", buf_cstr(&form), NULL, &answer);
    secret_wipe(form.data, form.len);
    if (r < 0) {
        return r;
    }
    if (answer.status == 200) {
        r = remote_read_tokens(remote, &answer, &credential);
        if (r == 0) {
            *mine = credential;
            r = credentials_save(path, credentials);
        }
        return r;
    }
    if (answer.status >= 500 || !answer.json) {
        remote->error = arena_printf(remote->arena, "%s answers with %u: try again later",
                                     remote->server, answer.status);
        return -ENOTCONN;
    }
    return REMOTE_E_SIGNED_OUT;
}

static int token_under_lock(Remote *remote, const char *path, const char **ret_token) {
    Credentials credentials;
    Credential *mine;
    int r = credentials_load(path, remote->arena, &credentials);

    if (r < 0) {
        return r;
    }
    mine = credentials_find(&credentials, remote->server);
    if (!mine) {
        return REMOTE_E_SIGNED_OUT;
    }
    if (mine->expires_s - RENEW_BEFORE_S <= clock_unix_s()) {
        r = renew(remote, path, &credentials, mine);
        if (r != 0) {
            return r;
        }
    }
    *ret_token = mine->access_token;
    return 0;
}

int remote_token(Remote *remote, const char *path, const char **ret_token) {
    _cleanup_(fd_closep) int lock = -1;
    sigset_t ending, before;
    int r = credentials_lock(path, &lock);

    if (r == 0) {
        /* Ended between the answer and the file, the new token would be lost and the old one
         * used up: that has to wait. */
        sigemptyset(&ending);
        sigaddset(&ending, SIGINT);
        sigaddset(&ending, SIGTERM);
        sigaddset(&ending, SIGHUP);
        sigprocmask(SIG_BLOCK, &ending, &before);
        r = token_under_lock(remote, path, ret_token);
        sigprocmask(SIG_SETMASK, &before, NULL);
    }
    if (r < 0 && r != -ENOTCONN && !remote->error) {
        remote->error = arena_printf(remote->arena, "%s: %s", path, strerrordesc_np(-r));
    }
    return r;
}

int remote_revoke(Remote *remote, const char *refresh_token) {
    _cleanup_(remote_answer_done) RemoteAnswer answer = {0};
    _cleanup_(buf_done) Buf form = BUF_INIT;
    int r;

    form_add_param(&form, "client_id", REMOTE_CLIENT_ID);
    form_add_param(&form, "token", refresh_token);
    r = remote_call(remote, "/oauth/revoke", buf_cstr(&form), NULL, &answer);
    if (r == 0 && answer.status != 200) {
        remote->error =
            arena_printf(remote->arena, "%s answers with %u", remote->server, answer.status);
        return -ENOTCONN;
    }
    return r;
}

/* UTF-8 as it is, but for control characters. */
static const char *shown(Remote *remote, const char *text) {
    char *copy = arena_strdup(remote->arena, str_from(text));

    for (char *c = copy; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            *c = '?';
        }
    }
    return copy;
}

int remote_who(Remote *remote, const char *token, const char **ret_text) {
    _cleanup_(remote_answer_done) RemoteAnswer answer = {0};
    const char *email, *name;
    int r = remote_call(remote, "/oauth/userinfo", NULL, token, &answer);

    if (r < 0) {
        return r;
    }
    if (answer.status == 401) {
        return REMOTE_E_SIGNED_OUT;
    }
    email = json_string_value(json_object_get(answer.json, "email"));
    name = json_string_value(json_object_get(answer.json, "name"));
    if (answer.status != 200 || !email) {
        remote->error =
            arena_printf(remote->arena, "%s answers with %u", remote->server, answer.status);
        return -ENOTCONN;
    }
    *ret_text =
        name ? arena_printf(remote->arena, "%s (%s)", shown(remote, email), shown(remote, name))
             : shown(remote, email);
    return 0;
}
