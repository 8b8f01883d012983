/* SPDX-License-Identifier: Apache-2.0 */
#include "app/supervisor.h"

#include "app/exit_status.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/macro.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   10000
/* A life this long was a good one: the next death starts from the shortest wait. */
#define GOOD_LIFE_MS 30000

typedef struct Supervisor {
    const SupervisorOptions *options;
    sigset_t signals;
    pid_t child; /* 0: none */
    uint64_t started_ms;
    uint32_t backoff_ms;
    uint64_t deadline_ms; /* of the drain; 0: not told to end */
    bool killed;
    unsigned lives;
} Supervisor;

static void become_child(const Supervisor *self, pid_t parent) {
    sigset_t none;

    /* Ctrl-C reaches the whole group of the terminal; only the supervisor is to act on it. */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_NO_START);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv("/proc/self/exe", self->options->argv);
    _exit(EXIT_NO_START);
}

static int start(Supervisor *self) {
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0) {
        return err_trace(err_errno());
    }
    if (pid == 0) {
        become_child(self, parent);
    }
    self->child = pid;
    self->lives++;
    self->started_ms = clock_mono_ms();
    return 0;
}

static void stop(Supervisor *self) {
    if (self->deadline_ms == 0) {
        self->deadline_ms = clock_mono_ms() + self->options->drain_timeout_ms;
        if (self->child > 0) {
            kill(self->child, SIGTERM);
        }
        return;
    }
    if (self->child > 0) {
        self->killed = true;
        kill(self->child, SIGKILL);
    }
}

static void log_death(const Supervisor *self, int status) {
    if (WIFSIGNALED(status)) {
        log_error("server died", LOG_INT("signal", WTERMSIG(status)),
                  LOG_INT("restart_in_ms", self->backoff_ms));
    } else {
        log_error("server died", LOG_INT("status", WEXITSTATUS(status)),
                  LOG_INT("restart_in_ms", self->backoff_ms));
    }
}

/* True when the supervisor is to end with *ret_exit. */
static bool bury(Supervisor *self, int status, int *ret_exit) {
    int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

    self->child = 0;
    if (self->deadline_ms != 0) {
        *ret_exit = exit_status == EXIT_OK && !self->killed ? EXIT_OK : EXIT_SOME_FAILED;
        return true;
    }
    if (exit_status == EXIT_OK || exit_status == EXIT_USAGE ||
        (exit_status == self->options->give_up_status && self->lives == 1)) {
        *ret_exit = exit_status;
        return true;
    }
    if (clock_mono_ms() - self->started_ms >= GOOD_LIFE_MS) {
        self->backoff_ms = BACKOFF_FIRST_MS;
    }
    log_death(self, status);
    return false;
}

/* Waits for a signal until that time; 0 when there was none. */
static int wait_signal(const Supervisor *self, uint64_t until_ms) {
    uint64_t now = clock_mono_ms();
    uint64_t left = until_ms > now ? until_ms - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000),
                               .tv_nsec = (long)(left % 1000) * 1000000};
    int signal = until_ms == UINT64_MAX ? sigwaitinfo(&self->signals, NULL)
                                        : sigtimedwait(&self->signals, NULL, &timeout);

    return MAX(signal, 0);
}

static bool drained_too_long(const Supervisor *self) {
    return self->deadline_ms != 0 && !self->killed && clock_mono_ms() >= self->deadline_ms;
}

static int supervise(Supervisor *self) {
    uint64_t restart_ms = 0; /* when the next child is started, while there is none */
    int exit_status = EXIT_OK;

    for (;;) {
        uint64_t until = self->child == 0 ? restart_ms : UINT64_MAX;
        int status, signal;
        if (self->child == 0 && self->deadline_ms != 0) {
            return EXIT_OK;
        }
        if (self->deadline_ms != 0) {
            until = self->killed ? UINT64_MAX : self->deadline_ms;
        }
        signal = wait_signal(self, until);
        if (signal == SIGTERM || signal == SIGINT || drained_too_long(self)) {
            stop(self);
        }
        if (signal == SIGHUP && self->child > 0) {
            kill(self->child, SIGHUP);
        }
        if (self->child > 0 && waitpid(self->child, &status, WNOHANG) == self->child) {
            if (bury(self, status, &exit_status)) {
                return exit_status;
            }
            restart_ms = clock_mono_ms() + self->backoff_ms;
            self->backoff_ms = MIN(self->backoff_ms * 2, BACKOFF_MAX_MS);
        }
        if (self->child == 0 && self->deadline_ms == 0 && clock_mono_ms() >= restart_ms &&
            start(self) < 0) {
            restart_ms = clock_mono_ms() + BACKOFF_MAX_MS;
        }
    }
}

int supervisor_run(const SupervisorOptions *options) {
    Supervisor self = {.options = options, .backoff_ms = BACKOFF_FIRST_MS};

    sigemptyset(&self.signals);
    sigaddset(&self.signals, SIGTERM);
    sigaddset(&self.signals, SIGINT);
    sigaddset(&self.signals, SIGHUP);
    sigaddset(&self.signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &self.signals, NULL);
    if (start(&self) < 0) {
        return EXIT_NO_START;
    }
    return supervise(&self);
}
