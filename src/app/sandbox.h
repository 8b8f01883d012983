/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a child process gives up before it touches anything from outside. Neither call can be
 * undone. Both cover every thread of the process.
 */

#include <stdint.h>

typedef struct SandboxLimits {
    int socket;          /* the one descriptor besides 0, 1 and 2 that stays open */
    uint64_t memory_max; /* address space in bytes; 0: no limit */
    uint64_t file_max;   /* bytes of one file that it writes */
} SandboxLimits;

/*
 * For decode workers: an allow-list of system calls with which a process can compute, start
 * threads, write the memory files it is given and talk over the sockets it has. It cannot make
 * memory files: those count for no process, so they would get around memory_max. Opening a file or
 * a socket is answered with EPERM (libraries look for optional files); anything else ends the
 * process.
 */
int sandbox_enter_worker(const SandboxLimits *limits);

/*
 * For the inference process, which sees pixels but never file bytes, and reads models: no new
 * programs, no sockets, no tracing, no other process signalled, no file changed outside
 * `cache_dir` (NULL: none at all), which is a matter of Landlock and so of a kernel that has it.
 */
int sandbox_enter_inference(const char *cache_dir);
