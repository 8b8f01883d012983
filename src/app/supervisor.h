/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Keeps one child process alive: starts it, starts it again when it dies (waiting longer each time
 * it died young), and ends it when told to by a signal. One thread, nothing else in its process.
 */

#include <stdint.h>

typedef struct SupervisorOptions {
    char *const *argv;         /* of the child; argv[0] is shown, the program is this one */
    uint32_t drain_timeout_ms; /* from SIGTERM or SIGINT to SIGKILL */
    int give_up_status;        /* a first life that ends with this or usage is not tried again */
} SupervisorOptions;

/*
 * SIGTERM and SIGINT are forwarded as SIGTERM, a second one as SIGKILL; SIGHUP is ignored. The
 * child dies with the supervisor, whatever ends it. Returns an ExitStatus: 0 when the child ended
 * by itself in good order, give_up_status, or EXIT_SOME_FAILED when it had to be killed.
 */
int supervisor_run(const SupervisorOptions *options);
