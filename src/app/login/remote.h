/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An Image Sync server, as the command line talks to it. */

#include "app/login/credentials.h"
#include "base/json.h"

#define REMOTE_CLIENT_ID "imagesync-cli"

typedef struct Remote {
    const char *server; /* its issuer: no slash at the end */
    const char *ca_file;
    int stop_fd; /* -1: none */
    Arena *arena;
    const char *error; /* of the last call that failed: a sentence's end, in the arena */
} Remote;

typedef struct RemoteAnswer {
    unsigned status;
    json_t *json;      /* NULL: it was no JSON object; owned by who asked */
    const char *error; /* RFC 6749 5.2, or ""; in the arena */
} RemoteAnswer;
void remote_answer_done(RemoteAnswer *answer);

/*
 * "https://photos.example.com/" without the slashes. 0, or -EINVAL with what is wrong in *reterr:
 * also plain http to another machine, unless `plain` allows it.
 */
int remote_normalise(const char *url, bool plain, Arena *arena, const char **ret_server,
                     const char **reterr);

/* Calls server + path; `form` NULL: GET. 0 whatever the status is; -ENOTCONN with remote->error; or
 * -EINTR. */
int remote_call(Remote *remote, const char *path, const char *form, const char *bearer,
                RemoteAnswer *ret_answer);

enum {
    REMOTE_E_SIGNED_OUT = 1, /* there is no access any more */
};

/* Whether it is a server of ours that takes the command line: 0, -ENOTCONN or -EINTR. */
int remote_check(Remote *remote);

/* A token answer as a credential, in the arena. 0 or -EBADMSG. */
int remote_read_tokens(Remote *remote, const RemoteAnswer *answer, Credential *ret_credential);

/*
 * An access token for that server, renewed under the lock of `path` when it is about to expire.
 * 0; REMOTE_E_SIGNED_OUT; -ENOTCONN; or why the file cannot be read or written, with
 * remote->error.
 */
int remote_token(Remote *remote, const char *path, const char **ret_token);

/* Takes back all that the refresh token stands for. 0, -ENOTCONN or -EINTR. */
int remote_revoke(Remote *remote, const char *refresh_token);

/* "ada@example.com (Ada)". 0, REMOTE_E_SIGNED_OUT, -ENOTCONN or -EINTR. */
int remote_who(Remote *remote, const char *token, const char **ret_text);

/* Visible ASCII: what a server says reaches the terminal as text only. */
bool remote_is_plain(const char *text);
