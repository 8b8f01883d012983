/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A child process with a socket to it: started, told something, killed, buried. */

#include "core/contracts/worker.h"

#include <sys/types.h>

typedef struct Process {
    pid_t pid; /* 0: none */
    int pidfd; /* readable when it has ended */
    int socket;
} Process;
#define PROCESS_NONE ((Process){.pidfd = -1, .socket = -1})

/*
 * Runs `binary -x ROLE` with the other end of `socket` as CHILD_SOCKET, standard error as ours,
 * nothing else open, a bare environment and a process group of its own, so that Ctrl-C on the
 * terminal reaches only us.
 */
int process_start(const char *binary, const char *role, Process *ret_process);

int process_send(const Process *process, const ChildMessage *message, const int *fds, size_t n);
void process_kill(const Process *process);

/*
 * Closes and clears what is left of a process that has ended. 0 with the signal that ended it (0:
 * it exited by itself), or -EAGAIN: it is still running.
 */
int process_bury(Process *process, int *ret_signal);

/* Kills it and waits for its end. */
void process_end(Process *process);

/* Lets it burn at most `seconds` more of processor time; it dies of SIGXCPU beyond. */
int process_limit_cpu(const Process *process, uint32_t seconds);
