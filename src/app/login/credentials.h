/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What 'imagesync login' keeps: $XDG_CONFIG_HOME/imagesync/credentials.json (else below ~/.config),
 * for its owner's eyes only, replaced as a whole:
 *
 *   {"current": "https://photos.example.com",
 *    "servers": {"https://photos.example.com":
 *      {"access_token": "...", "refresh_token": "...", "expires": 1700000000}}}
 *
 * Who is about to change it holds the lock beside it, from reading to writing: a refresh token is
 * good once, and using it twice ends them all.
 */

#include "base/arena.h"
#include "base/fd.h"

#define CREDENTIALS_MAX 100

typedef struct Credential {
    const char *server; /* the issuer: no slash at the end */
    const char *access_token, *refresh_token;
    int64_t expires_s; /* of the access token, since 1970 */
} Credential;

typedef struct Credentials {
    const char *current; /* the server that was signed in to last; NULL: none */
    Credential items[CREDENTIALS_MAX];
    size_t n_items;
} Credentials;

/* -ENOENT: neither XDG_CONFIG_HOME nor HOME says where. */
int credentials_path(Arena *arena, const char **ret_path);
/* Makes the folders (0700) and waits for the lock; closing the descriptor gives it back. */
int credentials_lock(const char *path, int *ret_fd);
/* None when there is no file. Strings are in the arena. -EBADMSG: not such a file. */
int credentials_load(const char *path, Arena *arena, Credentials *ret_credentials);
int credentials_save(const char *path, const Credentials *credentials);

/* NULL: none of that server. */
Credential *credentials_find(Credentials *credentials, const char *server);
/* In the place of the one of that server, which becomes the current. -E2BIG: there are too many. */
int credentials_put(Credentials *credentials, const Credential *credential);
void credentials_remove(Credentials *credentials, const char *server);
