/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A server with a few routes and a client of plain sockets; for the server's tests. */

#include "base/http/server.h"
#include "base/test.h"

#include <pthread.h>

#define SERVER_TESTING_BODY_MAX ((size_t)256 * 1024)

typedef struct ServerFixture {
    HttpServer *server;
    Metrics *metrics;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    HttpRequest *waiting; /* what /later was asked */
    Executor *workers;    /* two threads, room for four */
    Executor *executor;   /* one thread, room for one more request */
    bool open;            /* what /blocking waits for */
    unsigned blocking;    /* how many have come to it */
    unsigned gone, finished;
    HttpFinished last;
} ServerFixture;

/*
 * Starts a server: GET /things/{id}, /things/all, PUT, PATCH and DELETE /things/{id} tell what they
 * were asked, GET /sign-in sets two cookies and goes to /hello?x, GET /hello, POST and PUT /echo,
 * GET /later (see server_testing_request()) and, in a group that refuses in its own words, POST
 * /v1/echo of at most 10 bytes and GET /v1/blocking, which holds a thread of the executor until
 * server_testing_open(). Zeros in `options` become useful values.
 */
ServerFixture *server_testing_start(void **state, HttpOptions options);
/* The same with one group more, whose context becomes the fixture and whose executor `workers`. */
ServerFixture *server_testing_start_with(void **state, HttpOptions options, HttpRouteGroup extra);
int server_testing_stop(void **state);

/* Waits until *counter reaches `least`; fails after ten seconds. */
void server_testing_wait(ServerFixture *fixture, const unsigned *counter, unsigned least);
/* The request that came to /later, which the caller is to answer. */
HttpRequest *server_testing_request(ServerFixture *fixture);
/* Lets go of those that wait in /v1/blocking, and of all that come. */
void server_testing_open(ServerFixture *fixture);
/* An HttpGone that counts. */
void server_testing_gone(HttpRequest *request, void *userdata);

/* A new connection, or -1. */
int server_testing_dial(ServerFixture *fixture);
void server_testing_say(int fd, const char *text);
/* Everything until the server closes, or until `until` occurs in it. */
void server_testing_hear(int fd, const char *until, Buf *reply);
/* Both on a connection of its own. */
void server_testing_ask(ServerFixture *fixture, const char *text, Buf *reply);
void server_testing_says(const Buf *reply, const char *part);
