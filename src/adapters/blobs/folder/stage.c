/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A stage is a file that grows; how much of it is durable its caller keeps. Whoever writes to it
 * holds a lock on it (flock(2)), which goes with its process. Who finds it locked has a right to it
 * all the same, as the other one stood still for too long and may go on at any moment, in the
 * middle of a write: so a copy takes the stage's place, and what the other one writes is no part of
 * it.
 */

#include "adapters/blobs/folder/folder_private.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/uuid.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
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
    bool direct, no_direct;   /* it is written past the page cache now; it cannot be */
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

/* What is durable of it, in a file of our own. */
static int copy_file(const BlobsFolder *folder, const char *from, const char *to, uint64_t len,
                     int *ret_fd) {
    _cleanup_(fd_closep) int source = openat(folder->root, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    _cleanup_(fd_closep) int fd =
        openat(folder->root, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (source < 0 || fd < 0) {
        return err_trace(err_errno());
    }
    while (len > 0) {
        ssize_t n = copy_file_range(source, NULL, fd, NULL, MIN(len, (uint64_t)1 << 30), 0);
        if (n <= 0) {
            return err_trace(n < 0 ? err_errno() : -EIO);
        }
        len -= (uint64_t)n;
    }
    if (fsync(fd) < 0) {
        return err_trace(err_errno());
    }
    /* Nobody else has it. Where there are no locks each who comes makes a copy. */
    (void)flock(fd, LOCK_EX | LOCK_NB);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int take_place(const BlobsFolder *folder, const char *path, uint64_t len, int *fd) {
    Uuid id = uuid_new();
    char text[UUID_TEXT_SIZE], temporary[UUID_TEXT_SIZE + 4];
    int r, copy = -1;

    uuid_text(&id, text);
    snprintf(temporary, sizeof(temporary), "tmp/%s", text);
    r = copy_file(folder, path, temporary, len, &copy);
    if (r == 0 && renameat(folder->root, temporary, folder->root, path) < 0) {
        r = err_errno();
    }
    if (r == 0) {
        r = folder_sync_parent(folder->root, path);
    }
    fd_close(*fd);
    *fd = copy;
    if (r < 0) {
        unlinkat(folder->root, temporary, 0);
    }
    return err_trace(r);
}

/* Locked: nobody else writes to it from here on. */
static int take_file(const BlobsFolder *folder, const char *path, uint64_t offset, int *ret_fd) {
    _cleanup_(fd_closep) int fd = -1;
    struct stat status;
    int r = open_file(folder, path, offset == 0, &fd);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    if (fstat(fd, &status) < 0) {
        return err_trace(err_errno());
    }
    if ((uint64_t)status.st_size < offset) {
        return BLOBS_E_SHORT;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && (r = take_place(folder, path, offset, &fd)) < 0) {
        return err_trace(r);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int folder_stage_open(Blobs *blobs, Str name, uint64_t offset, BlobStage **ret_stage) {
    const BlobsFolder *folder = (BlobsFolder *)blobs;
    _cleanup_(fd_closep) int fd = -1;
    char path[FOLDER_PATH_MAX], blob[FOLDER_PATH_MAX];
    struct stat status;
    Stage *stage;
    int r = folder_path(BLOB_AREA_BLOBS, name, blob);

    if (r < 0 || offset > INT64_MAX) {
        return err_trace(r < 0 ? r : -EINVAL);
    }
    if ((r = folder_check(folder)) < 0) {
        return err_trace(r);
    }
    if (fstatat(folder->root, blob, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return BLOBS_E_EXISTS;
    }
    (void)folder_path(BLOB_AREA_STAGES, name, path);
    r = take_file(folder, path, offset, &fd);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    /* Who had it may have made it the blob until it was locked: nothing is to be cut off that. */
    if (fstatat(folder->root, blob, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return BLOBS_E_EXISTS;
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
static int write_at_end(Stage *stage, Str *bytes) {
    while (bytes->len > 0) {
        ssize_t n = pwrite(stage->fd, bytes->ptr, bytes->len, (off_t)stage->end);
        if (n < 0 && errno != EINTR) {
            return err_errno();
        }
        n = MAX(n, 0);
        stage->end += (uint64_t)n;
        *bytes = (Str){bytes->ptr + n, bytes->len - (size_t)n};
    }
    return 0;
}

/* Whether what follows is written past the page cache. */
static void set_direct(Stage *stage, bool direct) {
    if (direct != stage->direct && !stage->no_direct) {
        stage->no_direct = fcntl(stage->fd, F_SETFL, O_WRONLY | (direct ? O_DIRECT : 0)) < 0;
        stage->direct = direct && !stage->no_direct;
    }
}

/* Only whole blocks from memory that begins with one can be written so. */
static bool may_go_directly(const Stage *stage, Str bytes) {
    return stage->end >= DIRECT_FROM && stage->end % DIRECT_BLOCK == 0 &&
           bytes.len % DIRECT_BLOCK == 0 && (uintptr_t)bytes.ptr % DIRECT_BLOCK == 0;
}

int folder_stage_write(BlobStage *base, Str bytes) {
    Stage *stage = (Stage *)base;
    int r;

    set_direct(stage, may_go_directly(stage, bytes));
    r = write_at_end(stage, &bytes);
    if (stage->direct) {
        stage->on_its_way = stage->end;
    }
    if (r == -EINVAL && stage->direct) { /* larger blocks are asked for here */
        set_direct(stage, false);
        stage->no_direct = true;
        r = write_at_end(stage, &bytes);
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

/* Nobody has taken its place. */
static bool is_ours(const Stage *stage) {
    struct stat ours, there;

    return fstat(stage->fd, &ours) == 0 &&
           fstatat(stage->folder->root, stage->path, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int folder_stage_commit(BlobStage *base) {
    Stage *stage = (Stage *)base;
    int r;

    if (fsync(stage->fd) < 0) {
        return err_trace(err_errno());
    }
    if (!is_ours(stage)) {
        return err_trace(-ESTALE);
    }
    r = folder_publish(stage->folder, stage->path, (Str){stage->name, stage->name_len});
    return r < 0 ? err_trace(r) : r;
}

BlobStage *folder_stage_free(BlobStage *base) {
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
