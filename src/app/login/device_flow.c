/* SPDX-License-Identifier: Apache-2.0 */
#include "app/login/device_flow.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/http/form.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <unistd.h>

#define SCOPE          "openid profile email offline_access account library"
#define INTERVAL_MAX_S 60

typedef struct Codes {
    const char *device_code, *user_code, *uri, *complete;
    int64_t life_s, interval_s;
} Codes;

static const char *plain_member(Remote *remote, const RemoteAnswer *answer, const char *name) {
    const char *text = json_string_value(json_object_get(answer->json, name));

    return text && remote_is_plain(text) ? arena_strdup(remote->arena, str_from(text)) : NULL;
}

static int read_codes(Remote *remote, const RemoteAnswer *answer, Codes *ret_codes) {
    Codes codes = {plain_member(remote, answer, "device_code"),
                   plain_member(remote, answer, "user_code"),
                   plain_member(remote, answer, "verification_uri"),
                   plain_member(remote, answer, "verification_uri_complete"),
                   json_integer_value(json_object_get(answer->json, "expires_in")),
                   json_integer_value(json_object_get(answer->json, "interval"))};

    if (!codes.device_code || !codes.user_code || !codes.uri || codes.life_s < 1 ||
        codes.life_s > 86400) {
        remote->error = arena_printf(remote->arena, "%s gave no code", remote->server);
        return -EBADMSG;
    }
    /* RFC 8628 3.2: five seconds when it does not say. */
    codes.interval_s = codes.interval_s < 1 ? 5 : MIN(codes.interval_s, (int64_t)INTERVAL_MAX_S);
    *ret_codes = codes;
    return 0;
}

static int ask(Remote *remote, Codes *ret_codes) {
    _cleanup_(remote_answer_done) RemoteAnswer answer = {0};
    _cleanup_(buf_done) Buf form = BUF_INIT;
    int r;

    form_add_param(&form, "client_id", REMOTE_CLIENT_ID);
    form_add_param(&form, "scope", SCOPE);
    r = remote_call(remote, "/oauth/device-authorization", buf_cstr(&form), NULL, &answer);
    if (r < 0) {
        return r;
    }
    if (strcmp(answer.error, "invalid_client") == 0 ||
        strcmp(answer.error, "unauthorized_client") == 0 ||
        strcmp(answer.error, "invalid_scope") == 0) {
        return DEVICE_FLOW_E_TURNED_OFF;
    }
    if (answer.status == 429) {
        return DEVICE_FLOW_E_BUSY;
    }
    if (answer.status != 200) {
        remote->error =
            arena_printf(remote->arena, "%s answers with %u", remote->server, answer.status);
        return -ENOTCONN;
    }
    return read_codes(remote, &answer, ret_codes);
}

/* In a process of its own, of which nothing is awaited. */
static void open_browser(const char *uri) {
    const char *argv[] = {"xdg-open", uri, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid;
    int r;

    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawn_file_actions_init(&files);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    }
    r = posix_spawnp(&pid, argv[0], &files, &attributes, (char **)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (r != 0) {
        fprintf(stderr, "imagesync login: no browser can be opened (xdg-open: %s)\n",
                strerrordesc_np(r));
    }
}

static void show(const Codes *codes, bool open) {
    printf("Open this page in a browser, on any device, and type the code:\n\n  %s\n  %s\n\n",
           codes->uri, codes->user_code);
    if (codes->complete) {
        printf("Or open it with the code in it:\n\n  %s\n\n", codes->complete);
    }
    printf("Waiting until it is allowed there (Ctrl-C gives up) ...\n");
    fflush(stdout);
    if (open) {
        open_browser(codes->complete ? codes->complete : codes->uri);
    }
}

/* 0 or -EINTR. */
static int pause_for(const Remote *remote, int64_t seconds) {
    uint64_t until_ms = clock_mono_ms() + (uint64_t)seconds * 1000, now_ms;
    struct pollfd stop = {.fd = remote->stop_fd, .events = POLLIN};

    while ((now_ms = clock_mono_ms()) < until_ms) {
        if (poll(&stop, 1, (int)(until_ms - now_ms)) > 0) {
            return -EINTR;
        }
    }
    return 0;
}

enum {
    ANSWER_PENDING = 100,
    ANSWER_SLOW_DOWN,
    ANSWER_LATER, /* it cannot answer now */
};

static int poll_once(Remote *remote, const Codes *codes, Credential *ret_credential) {
    static const struct {
        const char *error;
        int meaning;
    } errors[] = {{"authorization_pending", ANSWER_PENDING},
                  {"slow_down", ANSWER_SLOW_DOWN},
                  {"access_denied", DEVICE_FLOW_E_DENIED},
                  {"expired_token", DEVICE_FLOW_E_EXPIRED}};
    _cleanup_(remote_answer_done) RemoteAnswer answer = {0};
    _cleanup_(buf_done) Buf form = BUF_INIT;
    int r;

    form_add_param(&form, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    form_add_param(&form, "client_id", REMOTE_CLIENT_ID);
    form_add_param(&form, "device_code", codes->device_code);
    r = remote_call(remote, "/oauth/token", buf_cstr(&form), NULL, &answer);
    if (r == -ENOTCONN || (r == 0 && (answer.status >= 500 || answer.status == 429))) {
        return ANSWER_LATER;
    }
    if (r < 0) {
        return r;
    }
    if (answer.status == 200) {
        return remote_read_tokens(remote, &answer, ret_credential);
    }
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        if (strcmp(answer.error, errors[i].error) == 0) {
            return errors[i].meaning;
        }
    }
    remote->error = arena_printf(remote->arena, "%s refuses the code: %s", remote->server,
                                 answer.error[0] ? answer.error : "no reason given");
    return -EBADMSG;
}

/* RFC 8628 3.5: slower when told to, and ever slower while nobody answers. */
static int wait_for_decision(Remote *remote, const Codes *codes, Credential *ret_credential) {
    int64_t interval_s = codes->interval_s, until_s = clock_unix_s() + codes->life_s;
    bool told = false;

    while (clock_unix_s() <= until_s) {
        int r = pause_for(remote, interval_s);
        if (r == 0) {
            r = poll_once(remote, codes, ret_credential);
        }
        if (r == ANSWER_LATER && !told) {
            fprintf(stderr, "imagesync login: %s does not answer now; trying on\n", remote->server);
            told = true;
        }
        if (r == ANSWER_LATER) {
            interval_s = MIN(interval_s * 2, (int64_t)INTERVAL_MAX_S);
        } else if (r == ANSWER_SLOW_DOWN) {
            interval_s += 5;
        } else if (r != ANSWER_PENDING) {
            return r;
        }
    }
    return DEVICE_FLOW_E_EXPIRED;
}

int device_flow_run(Remote *remote, bool open, Credential *ret_credential) {
    Codes codes;
    int r = ask(remote, &codes);

    if (r != 0) {
        return r;
    }
    show(&codes, open);
    return wait_for_decision(remote, &codes, ret_credential);
}
