/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reading inputs whole into sealed memory, and writing results so that nothing is half there. */

#include "base/fd.h"

/*
 * Opens "-" or a path and reads it to its end into a sealed memory file. -EFBIG when it is longer
 * than `max`, -EISDIR, -EINTR when `stop_fd` becomes readable first (-1: never), or why it could
 * not be read.
 */
int file_read_sealed(const char *path, uint64_t max, int stop_fd, int *ret_fd, uint64_t *ret_len);

enum {
    FILE_E_EXISTS = 1, /* there is a file of that name, and `force` is false */
};

/*
 * Writes the whole of a memory file to `path` ("-": standard output): to a temporary name in the
 * same folder, then renamed, so that a reader sees all of it or nothing. A device or a named pipe
 * is written to in place. 0, FILE_E_EXISTS, or why.
 */
int file_write(const char *path, int from_fd, uint64_t len, bool force);

/* Makes a folder and those above it. 0 when it is there in the end. */
int file_make_folders(const char *path);
