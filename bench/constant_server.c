/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The peer of bench/me.py: libmicrohttpd, set up as our server sets it up (epoll, a pool of
 * threads), answering every request with a constant as long as a profile. `constant_server THREADS`
 * prints its port and serves until standard input ends.
 */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char body[260];

static enum MHD_Result answer(void *userdata, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *len, void **context) {
    static int seen;
    struct MHD_Response *response;
    enum MHD_Result result;

    (void)userdata, (void)url, (void)method, (void)version, (void)data, (void)len;
    if (!*context) { /* the headers alone */
        *context = &seen;
        return MHD_YES;
    }
    response = MHD_create_response_from_buffer(sizeof(body), body, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", "application/json");
    result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

int main(int argc, char **argv) {
    unsigned threads = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
    struct MHD_Daemon *daemon;

    memset(body, 'x', sizeof(body));
    daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
                              threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads,
                              MHD_OPTION_END);
    if (!daemon) {
        return 1;
    }
    printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    while (getchar() != EOF) {
    }
    MHD_stop_daemon(daemon);
    return 0;
}
