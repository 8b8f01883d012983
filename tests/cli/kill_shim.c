/* SPDX-License-Identifier: Apache-2.0 */

/* Preloaded: kills the process, as a power cut would, right after the KILL_AT-th time that it has
 * put something on disk or renamed a file. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static void count(void) {
    static atomic_long n;
    const char *at = getenv("KILL_AT");

    if (at && atomic_fetch_add(&n, 1) + 1 == strtol(at, NULL, 10)) {
        kill(getpid(), SIGKILL);
    }
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    int r = real(fd);

    count();
    return r;
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int r = real(fd);

    count();
    return r;
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    int (*real)(int, const char *, int, const char *, unsigned) =
        (int (*)(int, const char *, int, const char *, unsigned))dlsym(RTLD_NEXT, "renameat2");
    int r = real(from_dir, from, to_dir, to, flags);

    count();
    return r;
}
