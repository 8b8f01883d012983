/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include "base/error.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int fd_close(int fd) {
    if (fd >= 0) {
        int saved = errno;
        close(fd);
        errno = saved;
    }
    return -1;
}

int fd_write_all(int fd, const void *bytes, size_t len) {
    const char *at = bytes;

    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return err_errno();
        }
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int fd_pread_all(int fd, void *bytes, size_t len, uint64_t offset) {
    char *at = bytes;

    while (len > 0) {
        ssize_t n = pread(fd, at, len, (off_t)offset);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return err_errno();
        }
        if (n == 0) {
            return -ENODATA;
        }
        at += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int fd_read_to_end(int fd, size_t max, Buf *buf) {
    size_t total = 0;

    for (;;) {
        /* One byte over the limit is enough to know that there is more. */
        size_t room = MIN((size_t)65536, max - total + 1);
        ssize_t n = read(fd, buf_reserve(buf, room), room);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return err_errno();
        }
        if (n == 0) {
            buf_add(buf, "", 0);
            return 0;
        }
        total += (size_t)n;
        if (total > max) {
            return -EFBIG;
        }
        buf->len += (size_t)n;
    }
}

int fd_memory_new(const char *name, int *ret_fd) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return err_trace(err_errno());
    }
    *ret_fd = fd;
    return 0;
}

int fd_memory_new_sized(const char *name, uint64_t size, int *ret_fd) {
    _cleanup_(fd_closep) int fd = -1;
    int r = fd_memory_new(name, &fd);
    if (r < 0) {
        return err_trace(r);
    }
    if (ftruncate(fd, (off_t)size) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        return err_trace(err_errno());
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int fd_memory_seal(int fd) {
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
        return err_trace(err_errno());
    }
    return 0;
}

int map_range(int fd, uint64_t offset, uint64_t len, Map *ret_map) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t start = offset / page * page;
    uint64_t end;
    off_t size;
    void *base;

    if (len == 0) {
        *ret_map = MAP_INIT;
        return 0;
    }
    if (__builtin_add_overflow(offset, len, &end) || end > SIZE_MAX) {
        return -EOVERFLOW;
    }
    /* Not fstat: glibc makes it a call that takes a path, which the workers' sandbox forbids. */
    size = lseek(fd, 0, SEEK_END);
    if (size < 0) {
        return err_trace(err_errno());
    }
    /* Reading a mapping past the end of its file is a SIGBUS. */
    if (end > (uint64_t)size) {
        return -ENODATA;
    }
    /* Kernels before 6.7 refuse a shared mapping of a sealed memory file, even to read. */
    base = mmap(NULL, (size_t)(end - start), PROT_READ, MAP_PRIVATE, fd, (off_t)start);
    if (base == MAP_FAILED) {
        return err_trace(err_errno());
    }
    *ret_map = (Map){.data = (const char *)base + (offset - start),
                     .len = (size_t)len,
                     .base = base,
                     .base_len = (size_t)(end - start)};
    return 0;
}

void map_done(Map *map) {
    if (map->base) {
        munmap(map->base, map->base_len);
    }
    *map = MAP_INIT;
}
