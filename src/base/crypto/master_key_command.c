/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/crypto/master_key_internal.h"
#include "base/crypto/secret.h"
#include "base/error.h"
#include "base/fd.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char too_slow[] = "the master key command did not end in time";

/* Our environment without our own settings, in which there may be passwords; to be freed. */
static char **environment_of_others(void) {
    static const char ours[] = "IMAGESYNC_";
    size_t n = 0;
    char **others;

    while (environ[n]) {
        n++;
    }
    others = calloc(n + 1, sizeof(*others));
    if (!others) {
        abort();
    }
    n = 0;
    for (size_t i = 0; environ[i]; i++) {
        if (strncmp(environ[i], ours, sizeof(ours) - 1) != 0) {
            others[n++] = environ[i];
        }
    }
    return others;
}

/* In a process group of its own with default signals, so that it can be ended with its children. */
static int spawn(const char *const *argv, int out, pid_t *ret_pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    _cleanup_(freep) char **others = environment_of_others();
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    r = posix_spawnp(ret_pid, argv[0], &actions, &attributes, (char *const *)argv, others);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* 1 when it is ready, 0 when the deadline passed first. */
static int wait_readable(int fd, uint64_t deadline_ms) {
    struct pollfd watched = {.fd = fd, .events = POLLIN};

    for (;;) {
        uint64_t now = clock_mono_ms();
        int n = now < deadline_ms ? poll(&watched, 1, (int)(deadline_ms - now)) : 0;
        if (n >= 0) {
            return n;
        }
        if (errno != EINTR) {
            return err_trace(err_errno());
        }
    }
}

/* Everything up to the end of the output; the text holds one byte more than it may be long. */
static int read_output(int fd, uint64_t deadline_ms, char *text, size_t *ret_len,
                       const char **reterr) {
    size_t len = 0;

    while (len <= MASTER_KEY_TEXT_MAX) {
        int r = wait_readable(fd, deadline_ms);
        ssize_t n;
        if (r <= 0) {
            *reterr = too_slow;
            return r < 0 ? r : MASTER_KEY_E_REFUSED;
        }
        n = read(fd, text + len, MASTER_KEY_TEXT_MAX + 1 - len);
        if (n < 0 && errno != EINTR) {
            return err_trace(err_errno());
        }
        if (n == 0) {
            *ret_len = len;
            return 0;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    *reterr = "the master key command printed more than 16 KiB";
    return MASTER_KEY_E_REFUSED;
}

static int reap(pid_t pid, int *ret_status) {
    while (waitpid(pid, ret_status, 0) < 0) {
        if (errno != EINTR) {
            return err_trace(err_errno());
        }
    }
    return 0;
}

/* Waits for its end; ends it first when `r` says that it failed already or it is late. */
static int finish(pid_t pid, uint64_t deadline_ms, int r, const char **reterr) {
    _cleanup_(fd_closep) int process = pidfd_open(pid, 0);
    int status = 0, reaped;

    if (r == 0 && process < 0) {
        r = err_errno();
    }
    if (r == 0) {
        int ended = wait_readable(process, deadline_ms);
        if (ended <= 0) {
            *reterr = too_slow;
            r = ended < 0 ? ended : MASTER_KEY_E_REFUSED;
        }
    }
    if (r != 0) {
        kill(-pid, SIGKILL);
    }
    reaped = reap(pid, &status);
    if (r != 0 || reaped < 0) {
        return r != 0 ? r : reaped;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        *reterr = "the master key command failed";
        return MASTER_KEY_E_REFUSED;
    }
    return 0;
}

int master_keys_read_command(const char *const *argv, uint32_t timeout_ms, MasterKeys **ret_keys,
                             const char **reterr) {
    _cleanup_(secret_freep) char *text = secret_alloc(MASTER_KEY_TEXT_MAX + 1);
    _cleanup_(fd_closep) int in = -1, out = -1;
    uint64_t deadline_ms = clock_mono_ms() + timeout_ms;
    size_t len = 0;
    int pipes[2], r;
    pid_t pid;

    assert(argv && argv[0] && timeout_ms <= INT32_MAX);
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        return err_trace(err_errno());
    }
    in = pipes[0];
    out = pipes[1];
    r = spawn(argv, out, &pid);
    out = fd_close(out);
    if (r < 0) {
        return err_trace(r);
    }
    r = read_output(in, deadline_ms, text, &len, reterr);
    r = finish(pid, deadline_ms, r, reterr);
    return r == 0 ? master_keys_parse((Str){text, len}, ret_keys, reterr) : r;
}
