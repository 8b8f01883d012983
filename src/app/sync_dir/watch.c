/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/watch.h"

#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB |            \
     IN_MODIFY | IN_ONLYDIR | IN_EXCL_UNLINK)

void watch_begin(Watch *watch) {
    if (watch->fd < 0) {
        watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    }
    watch->error = watch->fd < 0 ? errno : 0;
    watch->remedy = watch->error == EMFILE ? "fs.inotify.max_user_instances" : NULL;
}

void watch_done(Watch *watch) {
    watch->fd = fd_close(watch->fd);
}

void watch_add(Watch *watch, int dir_fd) {
    char path[32];

    /* By its descriptor: the folder that is being read, whatever its path leads to by now. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
    if (watch->fd >= 0 && inotify_add_watch(watch->fd, path, EVENTS) < 0) {
        watch->error = errno;
        watch->remedy = watch->error == ENOSPC ? "fs.inotify.max_user_watches" : NULL;
    }
}

bool watch_has_news(const Watch *watch) {
    struct pollfd fd = {.fd = watch->fd, .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

bool watch_take(Watch *watch) {
    _Alignas(struct inotify_event) char events[16384];
    bool any = false;

    while (watch->fd >= 0 && read(watch->fd, events, sizeof(events)) > 0) {
        any = true;
    }
    return any;
}
