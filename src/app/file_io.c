/* SPDX-License-Identifier: Apache-2.0 */
#include "app/file_io.h"

#include "base/error.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536

/* Waits until there is something to read. A pipe may stay silent for ever; a person may not. */
static int wait_readable(int fd, int stop_fd) {
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR) {
            return err_trace(err_errno());
        }
    }
    return fds[1].revents ? -EINTR : 0;
}

static int copy_to_memory(int from, int to, uint64_t max, int stop_fd, uint64_t *ret_len) {
    char chunk[CHUNK];
    uint64_t len = 0;

    for (;;) {
        ssize_t n;
        int r = wait_readable(from, stop_fd);
        if (r < 0) {
            return r;
        }
        n = read(from, chunk, CHUNK);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (n < 0) {
            return err_errno();
        }
        if (n == 0) {
            *ret_len = len;
            return 0;
        }
        len += (uint64_t)n;
        if (len > max) {
            return -EFBIG;
        }
        r = fd_write_all(to, chunk, (size_t)n);
        if (r < 0) {
            return err_trace(r);
        }
    }
}

int file_read_sealed(const char *path, uint64_t max, int stop_fd, int *ret_fd, uint64_t *ret_len) {
    _cleanup_(fd_closep) int opened = -1;
    _cleanup_(fd_closep) int memory = -1;
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat status;
    uint64_t len = 0;
    int r;

    if (!is_stdin) {
        /* Without O_NONBLOCK a named pipe that nobody writes to would hold us here. */
        opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (opened < 0) {
            return err_errno();
        }
    }
    if (fstat(is_stdin ? STDIN_FILENO : opened, &status) < 0) {
        return err_errno();
    }
    if (S_ISDIR(status.st_mode)) {
        return -EISDIR;
    }
    if (S_ISREG(status.st_mode) && status.st_size > 0 && (uint64_t)status.st_size > max) {
        return -EFBIG;
    }
    r = fd_memory_new("input", &memory);
    if (r < 0) {
        return err_trace(r);
    }
    r = copy_to_memory(is_stdin ? STDIN_FILENO : opened, memory, max, stop_fd, &len);
    if (r < 0) {
        return r;
    }
    r = fd_memory_seal(memory);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_fd = TAKE_FD(memory);
    *ret_len = len;
    return 0;
}

static int copy_out(int to, int from_fd, uint64_t len) {
    _cleanup_(map_done) Map map = MAP_INIT;
    int r = map_range(from_fd, 0, len, &map);

    return r < 0 ? err_trace(r) : fd_write_all(to, map.data, map.len);
}

/* Gives a finished file its name without ever replacing another, unless told to. */
static int give_name(const char *temporary, const char *path, bool force) {
    if (force) {
        return rename(temporary, path) < 0 ? err_errno() : 0;
    }
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno == EEXIST) {
        return FILE_E_EXISTS;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return err_errno();
    }
    /* A file system without that flag: link() refuses existing names just as well. */
    if (link(temporary, path) < 0) {
        return errno == EEXIST ? FILE_E_EXISTS : err_errno();
    }
    unlink(temporary);
    return 0;
}

/* /dev/null, /dev/stdout, a named pipe: written to, as nothing of them would be left otherwise. */
static int write_through(const char *path, int from_fd, uint64_t len) {
    /* Without O_NONBLOCK a named pipe that nobody reads would hold us here. */
    _cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0) {
        return err_errno();
    }
    if (fcntl(fd, F_SETFL, 0) < 0) {
        return err_trace(err_errno());
    }
    return copy_out(fd, from_fd, len);
}

int file_write(const char *path, int from_fd, uint64_t len, bool force) {
    _cleanup_(buf_done) Buf temporary = BUF_INIT;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    struct stat status;
    int fd, r;

    if (strcmp(path, "-") == 0) {
        return copy_out(STDOUT_FILENO, from_fd, len);
    }
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        return write_through(path, from_fd, len);
    }
    /* At most 255 bytes a name: the temporary one is short whatever the other is. */
    buf_addf(&temporary, "%.*s.imagesync-%ld.part", (int)(name - path), path, (long)getpid());
    fd = open(temporary.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        return err_errno();
    }
    r = copy_out(fd, from_fd, len);
    if (close(fd) < 0 && r == 0) {
        r = err_errno();
    }
    if (r == 0) {
        r = give_name(temporary.data, path, force);
    }
    if (r != 0) {
        unlink(temporary.data);
    }
    return r;
}

int file_make_folders(const char *path) {
    _cleanup_(buf_done) Buf part = BUF_INIT;
    struct stat status;

    buf_add_str(&part, str_from(path));
    for (size_t i = 1; i <= part.len; i++) {
        if (i < part.len && part.data[i] != '/') {
            continue;
        }
        char kept = part.data[i];
        part.data[i] = '\0';
        if (mkdir(part.data, 0777) < 0 && errno != EEXIST) {
            return err_errno();
        }
        part.data[i] = kept;
    }
    if (stat(path, &status) < 0) {
        return err_errno();
    }
    return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}
