/* SPDX-License-Identifier: Apache-2.0 */

/* A stage is a file that grows; how much of it is durable its caller keeps. */

#include "adapters/blobs/folder/folder_private.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define AHEAD ((uint64_t)4 << 20) /* whole pages, and enough at once for a disk to be quick */
/*
 * From here on past the page cache, which costs a processor more than sealing does, and in which a
 * film would only take the room of what is read again. A photo is: it is looked into at once.
 */
#define DIRECT_FROM  ((uint64_t)16 << 20)
#define DIRECT_BLOCK ((uint64_t)4096)

typedef struct Stage {
    BlobStage base; /* first */
    const BlobsFolder *folder;
    int fd;
    int direct; /* the same file past the page cache; -1: not opened yet, or not to be had */
    bool no_direct;
    uint64_t end, on_its_way; /* of the file; up to where the disk was asked to write it */
    bool named;               /* durably: what is committed at once never needs it */
    size_t name_len;
    char name[BLOB_NAME_LEN_MAX], path[FOLDER_PATH_MAX];
} Stage;

static int make_file(const BlobsFolder *folder, const char *path, int *ret_fd) {
    int fd = -1, r = -ENOENT;

    for (unsigned i = 0; i < FOLDER_TRIES && r == -ENOENT; i++) {
        r = folder_make_parents(folder->root, path, false);
        if (r == 0) {
            fd = openat(folder->root, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
            r = fd < 0 ? err_errno() : 0;
        }
    }
    *ret_fd = fd;
    return err_trace(r);
}

static int open_file(const BlobsFolder *folder, const char *path, bool make, int *ret_fd) {
    *ret_fd = openat(folder->root, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*ret_fd >= 0) {
        return 0;
    }
    if (errno != ENOENT) {
        return err_trace(err_errno());
    }
    return make ? make_file(folder, path, ret_fd) : BLOBS_E_SHORT;
}

int folder_stage_open(Blobs *blobs, Str name, uint64_t offset, BlobStage **ret_stage) {
    const BlobsFolder *folder = (BlobsFolder *)blobs;
    _cleanup_(fd_closep) int fd = -1;
    char path[FOLDER_PATH_MAX];
    struct stat status;
    Stage *stage;
    int r = folder_path(BLOB_AREA_BLOBS, name, path);

    if (r < 0 || offset > INT64_MAX) {
        return err_trace(r < 0 ? r : -EINVAL);
    }
    if ((r = folder_check(folder)) < 0) {
        return err_trace(r);
    }
    if (fstatat(folder->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return BLOBS_E_EXISTS;
    }
    (void)folder_path(BLOB_AREA_STAGES, name, path);
    r = open_file(folder, path, offset == 0, &fd);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    if (fstat(fd, &status) < 0) {
        return err_trace(err_errno());
    }
    if ((uint64_t)status.st_size < offset) {
        return BLOBS_E_SHORT;
    }
    if (ftruncate(fd, (off_t)offset) < 0) {
        return err_trace(err_errno());
    }
    stage = calloc(1, sizeof(*stage));
    if (!stage) {
        abort();
    }
    stage->base.impl = folder->base.impl;
    stage->folder = folder;
    stage->fd = TAKE_FD(fd);
    stage->direct = -1;
    stage->end = stage->on_its_way = offset;
    stage->named = offset > 0;
    memcpy(stage->name, name.ptr, name.len);
    stage->name_len = name.len;
    memcpy(stage->path, path, sizeof(path));
    *ret_stage = &stage->base;
    return 0;
}

/*
 * The disk writes while more is received, so that little is left for who waits in
 * folder_stage_sync(). Only a hint: a failure shows there.
 */
static void send_off(Stage *stage) {
    uint64_t n = (stage->end - stage->on_its_way) / AHEAD * AHEAD;

    if (n > 0) {
        (void)sync_file_range(stage->fd, (off_t)stage->on_its_way, (off_t)n, SYNC_FILE_RANGE_WRITE);
        stage->on_its_way += n;
    }
}

/* What was written is taken off `bytes`. */
static int write_at_end(Stage *stage, int fd, Str *bytes) {
    while (bytes->len > 0) {
        ssize_t n = pwrite(fd, bytes->ptr, bytes->len, (off_t)stage->end);
        if (n < 0 && errno != EINTR) {
            return err_errno();
        }
        n = MAX(n, 0);
        stage->end += (uint64_t)n;
        *bytes = (Str){bytes->ptr + n, bytes->len - (size_t)n};
    }
    return 0;
}

/* Only whole blocks from memory that begins with one can be written so. */
static bool may_go_directly(Stage *stage, Str bytes) {
    if (stage->no_direct || stage->end < DIRECT_FROM || stage->end % DIRECT_BLOCK != 0 ||
        bytes.len % DIRECT_BLOCK != 0 || (uintptr_t)bytes.ptr % DIRECT_BLOCK != 0) {
        return false;
    }
    if (stage->direct < 0) {
        stage->direct =
            openat(stage->folder->root, stage->path, O_WRONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);
        stage->no_direct = stage->direct < 0;
    }
    return !stage->no_direct;
}

int folder_stage_write(BlobStage *base, Str bytes) {
    Stage *stage = (Stage *)base;
    int r = 0;

    if (may_go_directly(stage, bytes)) {
        r = write_at_end(stage, stage->direct, &bytes);
        stage->on_its_way = stage->end;
        if (r == -EINVAL) { /* larger blocks are asked for here */
            stage->no_direct = true;
            r = 0;
        }
    }
    if (r == 0) {
        r = write_at_end(stage, stage->fd, &bytes);
    }
    if (r < 0) {
        return err_trace(r);
    }
    send_off(stage);
    return 0;
}

int folder_stage_sync(BlobStage *base) {
    Stage *stage = (Stage *)base;
    int r = fdatasync(stage->fd) < 0 ? err_errno() : 0;

    if (r == 0 && !stage->named) {
        r = folder_sync_parents(stage->folder->root, stage->path);
        stage->named = r == 0;
    }
    return err_trace(r);
}

int folder_stage_commit(BlobStage *base) {
    Stage *stage = (Stage *)base;
    int r;

    if (fsync(stage->fd) < 0) {
        return err_trace(err_errno());
    }
    r = folder_publish(stage->folder, stage->path, (Str){stage->name, stage->name_len});
    return r < 0 ? err_trace(r) : r;
}

BlobStage *folder_stage_free(BlobStage *base) {
    fd_close(((Stage *)base)->direct);
    fd_close(((Stage *)base)->fd);
    free(base);
    return NULL;
}

int folder_stage_remove(Blobs *blobs, Str name) {
    const BlobsFolder *folder = (BlobsFolder *)blobs;
    char path[FOLDER_PATH_MAX];
    int r = folder_path(BLOB_AREA_STAGES, name, path);

    return err_trace(r < 0 ? r : folder_unlink(folder->root, path));
}
