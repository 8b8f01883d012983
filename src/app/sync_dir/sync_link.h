/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The server, as a folder's sync talks to it: with an API key, or with what 'imagesync login'
 * keeps, renewed as it expires. One SyncLinkServer for all threads, a SyncLink for each.
 */

#include "base/http/exchange.h"
#include "base/json.h"

#include <pthread.h>

#define SYNC_LINK_TOKEN_MAX 16384

typedef struct SyncLinkServer {
    const char *url;     /* no slash at the end */
    const char *ca_file; /* NULL: the system's */
    const char *token;   /* an API key; NULL: credentials */
    const char *credentials_path;
    int stop_fd;
    pthread_mutex_t lock;
    char access[SYNC_LINK_TOKEN_MAX]; /* the access token of credentials, under the lock */
    uint64_t access_until_ms;
} SyncLinkServer;

void sync_link_server_start(SyncLinkServer *server);
void sync_link_server_done(SyncLinkServer *server);

typedef struct SyncLink {
    SyncLinkServer *server;
    HttpSession *session;
    Arena *arena;      /* for one piece of work; sync_link_reset() empties it */
    const char *error; /* of the last call that failed: a sentence's end, in the arena */
    uint32_t wait_ms; /* after SYNC_LINK_E_AWAY: how long the server asked to wait; 0: it did not */
} SyncLink;

void sync_link_open(SyncLink *link, SyncLinkServer *server);
void sync_link_close(SyncLink *link);
void sync_link_reset(SyncLink *link);

typedef struct SyncLinkCall {
    const char *method, *path; /* below the server's URL */
    const char *headers[6];    /* besides Authorization and Content-Type: application/json */
    json_t *json;              /* what is sent; borrowed; NULL: see below */
    uint64_t body_len;
    int (*read)(void *userdata, void *bytes, size_t max, size_t *ret_n); /* NULL: no body */
    int (*write)(void *userdata, unsigned status, Str bytes);
    void *userdata;
    uint32_t silence_s; /* 0: 60 */
} SyncLinkCall;

typedef struct SyncLinkAnswer {
    unsigned status;
    json_t *json;              /* owned by who asked; NULL: it was none */
    const char *code, *reason; /* of a problem (RFC 9457); "" when there are none; in the arena */
    HttpClientAnswer http;
} SyncLinkAnswer;
void sync_link_answer_done(SyncLinkAnswer *answer);

enum {
    /* No answer, or one that says to try again later (429, 5xx). */
    SYNC_LINK_E_AWAY = 1,
    /* Not signed in any more, or not for the library: nothing will be answered. */
    SYNC_LINK_E_SIGNED_OUT,
};

/* 0 with an answer of another status; a condition with link->error; -EINTR; or what `read` and
 * `write` gave. */
int sync_link_call(SyncLink *link, const SyncLinkCall *call, SyncLinkAnswer *ret_answer);
