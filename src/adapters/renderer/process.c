/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/renderer/process.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/ipc.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef IMAGESYNC_SANITIZED
/* How the sanitizers are to report must reach the children too. */
static char *const *child_environment(void) {
    return environ;
}
#else
static char *const *child_environment(void) {
    /* One arena: threads that come and go would each leave a heap of their own behind. */
    static char language[] = "LANG=C.UTF-8", arenas[] = "MALLOC_ARENA_MAX=2";
    static char *const environment[] = {language, arenas, NULL};
    return environment;
}
#endif

static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int far) {
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    if ((r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0)) ||
        (r = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0)) ||
        (r = posix_spawn_file_actions_adddup2(actions, far, CHILD_SOCKET)) ||
        (r = posix_spawn_file_actions_addclosefrom_np(actions, CHILD_SOCKET + 1)) ||
        (r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETSIGDEF)) ||
        (r = posix_spawnattr_setpgroup(attributes, 0)) ||
        (r = posix_spawnattr_setsigmask(attributes, &none)) ||
        (r = posix_spawnattr_setsigdefault(attributes, &all))) {
        return -r;
    }
    return 0;
}

static int spawn(const char *binary, const char *role, int far, pid_t *ret_pid) {
    char *const argv[] = {(char[]){"imagesync"}, (char[]){"-x"}, (char *)(uintptr_t)role, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    r = prepare(&actions, &attributes, far);
    if (r == 0) {
        r = -posix_spawn(ret_pid, binary, &actions, &attributes, argv, child_environment());
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return err_trace(r);
}

int process_start(const char *binary, const char *role, Process *ret_process) {
    _cleanup_(fd_closep) int near = -1, far = -1;
    Process process = PROCESS_NONE;
    int r = ipc_pair(&near, &far);

    if (r < 0) {
        return r;
    }
    r = spawn(binary, role, far, &process.pid);
    if (r < 0) {
        return r;
    }
    /* Only we wait for our children, so its number cannot have been given away yet. */
    process.pidfd = pidfd_open(process.pid, 0);
    if (process.pidfd < 0) {
        r = err_errno();
        kill(process.pid, SIGKILL);
        waitpid(process.pid, NULL, 0);
        return err_trace(r);
    }
    process.socket = TAKE_FD(near);
    *ret_process = process;
    return 0;
}

int process_send(const Process *process, const ChildMessage *message, const int *fds, size_t n) {
    _cleanup_(json_decrefp) json_t *json = child_message_write(message);
    int r = ipc_send(process->socket, json, fds, n);
    return err_trace(r);
}

void process_kill(const Process *process) {
    if (process->pid > 0) {
        pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
    }
}

static int bury(Process *process, int options, int *ret_signal) {
    siginfo_t info = {0};

    if (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | options) == 0 && info.si_pid == 0) {
        return -EAGAIN;
    }
    fd_close(process->pidfd);
    fd_close(process->socket);
    *process = PROCESS_NONE;
    *ret_signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    return 0;
}

int process_bury(Process *process, int *ret_signal) {
    return bury(process, WNOHANG, ret_signal);
}

void process_end(Process *process) {
    int signal;

    if (process->pid > 0) {
        process_kill(process);
        bury(process, 0, &signal);
    }
}

int process_limit_cpu(const Process *process, uint32_t seconds) {
    struct timespec used;
    struct rlimit limit;
    clockid_t clock;

    if (clock_getcpuclockid(process->pid, &clock) != 0 || clock_gettime(clock, &used) < 0) {
        return err_trace(-ESRCH);
    }
    if (prlimit(process->pid, RLIMIT_CPU, NULL, &limit) < 0) {
        return err_trace(err_errno());
    }
    /* What was allowed to us cannot be exceeded, and must not be asked for. */
    limit.rlim_cur = MIN((rlim_t)used.tv_sec + seconds + 1, limit.rlim_max);
    if (prlimit(process->pid, RLIMIT_CPU, &limit, NULL) < 0) {
        return err_trace(err_errno());
    }
    return 0;
}
