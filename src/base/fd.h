/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* File descriptors: ownership, whole reads and writes, anonymous memory files. */

#include "base/str.h"

#include <stdint.h>
#include <sys/types.h>

/* Closes when >= 0; returns -1. errno is kept. */
int fd_close(int fd);
static inline void fd_closep(int *fd) {
    *fd = fd_close(*fd);
}
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })

/* Writes or reads all of it, going on after EINTR and short counts. -ENODATA: the file ends before.
 */
int fd_write_all(int fd, const void *bytes, size_t len);
int fd_pread_all(int fd, void *bytes, size_t len, uint64_t offset);

/* Reads to the end of a file of at most `max` bytes; appends to `buf`. -EFBIG when it is longer. */
int fd_read_to_end(int fd, size_t max, Buf *buf);

/* A new anonymous memory file (memfd, close-on-exec, sealable); `name` shows in /proc only. */
int fd_memory_new(const char *name, int *ret_fd);
/* The same with a fixed size that nobody can change any more (F_SEAL_SHRINK | F_SEAL_GROW). */
int fd_memory_new_sized(const char *name, uint64_t size, int *ret_fd);
/*
 * Makes a memory file immutable, so that what a less trusted process wrote cannot change under the
 * reader. -EBUSY when somebody still has it mapped for writing.
 */
int fd_memory_seal(int fd);

/* A read-only mapping of a whole file or of a range; unmapped by map_done(). */
typedef struct Map {
    const void *data; /* NULL when len is 0 */
    size_t len;
    void *base;
    size_t base_len;
} Map;
#define MAP_INIT ((Map){0})

int map_range(int fd, uint64_t offset, uint64_t len, Map *ret_map);
void map_done(Map *map);
