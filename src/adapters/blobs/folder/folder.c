/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/blobs/folder/folder_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/uuid.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARKER     "imagesync-blobs"
#define TMP_LIFE_S 86400

int folder_check(const BlobsFolder *self) {
    struct stat status;

    if (fstatat(self->root, MARKER, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_trace(errno == ENOENT ? -ENOMEDIUM : err_errno());
    }
    return 0;
}

/* Not rename(), which would replace one that is there. A crash before the other name is gone leaves
 * a stage of the same file, which goes with those that have expired. */
static int link_into_place(int root, const char *from, const char *path) {
    int r = -ENOENT;

    for (unsigned i = 0; i < FOLDER_TRIES && r == -ENOENT; i++) {
        r = folder_make_parents(root, path, true);
        if (r == 0 && linkat(root, from, root, path, 0) < 0) {
            r = err_errno();
        }
    }
    if (r == 0) {
        r = folder_sync_parent(root, path);
    }
    return r == -EEXIST ? BLOBS_E_EXISTS : err_trace(r);
}

int folder_publish(const BlobsFolder *self, const char *from, Str name) {
    char path[FOLDER_PATH_MAX];
    int r = folder_path(BLOB_AREA_BLOBS, name, path), gone;

    if (r == 0) {
        r = link_into_place(self->root, from, path);
    }
    if (r < 0) {
        return err_trace(r);
    }
    gone = folder_unlink(self->root, from);
    return gone < 0 ? err_trace(gone) : r;
}

static int put(Blobs *blobs, Str name, Str bytes) {
    const BlobsFolder *self = (BlobsFolder *)blobs;
    Uuid id = uuid_new();
    char text[UUID_TEXT_SIZE], path[UUID_TEXT_SIZE + 4];
    _cleanup_(fd_closep) int fd = -1;
    int r = folder_check(self);

    if (r < 0 || !blob_name_is_good(name)) {
        return err_trace(r < 0 ? r : -EINVAL);
    }
    uuid_text(&id, text);
    snprintf(path, sizeof(path), "tmp/%s", text);
    fd = openat(self->root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_trace(err_errno());
    }
    r = fd_write_all(fd, bytes.ptr, bytes.len);
    if (r == 0 && fsync(fd) < 0) {
        r = err_errno();
    }
    if (r == 0) {
        r = folder_publish(self, path, name);
    }
    if (r < 0) {
        unlinkat(self->root, path, 0);
        return err_trace(r);
    }
    return r;
}

static int open_blob(const BlobsFolder *self, Str name, int *ret_fd) {
    char path[FOLDER_PATH_MAX];
    int r = folder_path(BLOB_AREA_BLOBS, name, path);

    if (r < 0) {
        return err_trace(r);
    }
    *ret_fd = openat(self->root, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*ret_fd >= 0) {
        return 0;
    }
    if (errno != ENOENT && errno != ENOTDIR && errno != EISDIR) {
        return err_trace(err_errno());
    }
    r = folder_check(self);
    return r < 0 ? err_trace(r) : BLOBS_E_NONE;
}

static int file_size(int fd, uint64_t *ret_size) {
    struct stat status;

    if (fstat(fd, &status) < 0) {
        return err_trace(err_errno());
    }
    if (!S_ISREG(status.st_mode)) {
        return BLOBS_E_NONE; /* the beginning of others' names */
    }
    *ret_size = (uint64_t)status.st_size;
    return 0;
}

static int size(Blobs *blobs, Str name, uint64_t *ret_size) {
    _cleanup_(fd_closep) int fd = -1;
    int r = open_blob((BlobsFolder *)blobs, name, &fd);

    return r != 0 ? r : file_size(fd, ret_size);
}

static int read_range(Blobs *blobs, Str name, uint64_t offset, void *ret_bytes, size_t len) {
    _cleanup_(fd_closep) int fd = -1;
    uint64_t there, end;
    int r = len > 0 ? open_blob((BlobsFolder *)blobs, name, &fd) : -EINVAL;

    if (r == 0) {
        r = file_size(fd, &there);
    }
    if (r == 0 && (__builtin_add_overflow(offset, (uint64_t)len, &end) || end > there)) {
        return BLOBS_E_SHORT;
    }
    if (r == 0) {
        r = fd_pread_all(fd, ret_bytes, len, offset);
    }
    return r < 0 ? err_trace(r) : r;
}

static int remove_blob(Blobs *blobs, Str name) {
    const BlobsFolder *self = (BlobsFolder *)blobs;
    char path[FOLDER_PATH_MAX];
    int r = folder_path(BLOB_AREA_BLOBS, name, path);

    if (r == 0) {
        r = folder_check(self);
    }
    if (r < 0) {
        return err_trace(r);
    }
    return err_trace(folder_unlink(self->root, path));
}

static Blobs *folder_free(Blobs *blobs) {
    fd_close(((BlobsFolder *)blobs)->root);
    free(blobs);
    return NULL;
}

static int is_empty(int root, bool *ret_empty) {
    int copy = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;
    bool empty = true;

    if (!folder) {
        int r = err_errno();
        fd_close(copy);
        return err_trace(r);
    }
    while (empty && (entry = readdir(folder))) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                strcmp(entry->d_name, "lost+found") == 0; /* what a new file system begins with */
    }
    closedir(folder);
    *ret_empty = empty;
    return 0;
}

static int make_marker(int root, char ret_id[BLOB_STORE_ID_LEN + 1]) {
    static const char temporary[] = MARKER ".tmp";
    Uuid id = uuid_new();
    _cleanup_(fd_closep) int fd =
        openat(root, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = 0;

    uuid_text(&id, ret_id);
    if (fd < 0) {
        return err_trace(err_errno());
    }
    r = fd_write_all(fd, ret_id, BLOB_STORE_ID_LEN);
    if (r == 0 && (fsync(fd) < 0 || renameat(root, temporary, root, MARKER) < 0)) {
        r = err_errno();
    }
    return err_trace(r < 0 ? r : folder_sync_parent(root, MARKER));
}

/* ret_id "" when there is none. */
static int read_marker(int root, char ret_id[BLOB_STORE_ID_LEN + 1]) {
    _cleanup_(fd_closep) int fd = openat(root, MARKER, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    Uuid id;
    int r;

    ret_id[0] = '\0';
    if (fd < 0) {
        return errno == ENOENT ? 0 : err_trace(err_errno());
    }
    r = fd_pread_all(fd, ret_id, BLOB_STORE_ID_LEN, 0);
    ret_id[BLOB_STORE_ID_LEN] = '\0';
    return r < 0 || uuid_parse(str_from(ret_id), &id) < 0 ? err_trace(-EBADMSG) : 0;
}

static int recognise(int root, const char *id, char ret_id[BLOB_STORE_ID_LEN + 1],
                     const char **reterr) {
    bool empty = false;
    int r = read_marker(root, ret_id);

    if (r < 0) {
        *reterr = "its marker, imagesync-blobs, is damaged: put it back from a backup";
        return -ENOMEDIUM;
    }
    if (id[0] != '\0' && strcmp(id, ret_id) != 0) {
        *reterr = ret_id[0] == '\0' ? "it holds no blobs: is its disk mounted?"
                                    : "it holds the blobs of another database";
        return -ENOMEDIUM;
    }
    if (ret_id[0] != '\0') {
        return 0;
    }
    if ((r = is_empty(root, &empty)) < 0) {
        return err_trace(r);
    }
    if (!empty) {
        *reterr = "it holds other files: give an empty folder, or one that is to be made";
        return -ENOMEDIUM;
    }
    return err_trace(make_marker(root, ret_id));
}

/* What was being written when a process ended; another one may be at work here now. */
static void tidy_tmp(int root) {
    int fd = openat(root, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    int64_t old_s = clock_unix_s() - TMP_LIFE_S;
    const struct dirent *entry;
    struct stat status;

    while (folder && (entry = readdir(folder))) {
        if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode) && status.st_mtim.tv_sec < old_s) {
            unlinkat(fd, entry->d_name, 0);
        }
    }
    if (folder) {
        closedir(folder);
    } else {
        fd_close(fd);
    }
}

int blobs_folder_new(const char *path, const char *id, Blobs **ret_blobs,
                     char ret_id[BLOB_STORE_ID_LEN + 1], const char **reterr) {
    static const BlobsImpl impl = {.put = put,
                                   .size = size,
                                   .read = read_range,
                                   .remove = remove_blob,
                                   .list = folder_list,
                                   .stage_open = folder_stage_open,
                                   .stage_write = folder_stage_write,
                                   .stage_sync = folder_stage_sync,
                                   .stage_commit = folder_stage_commit,
                                   .stage_free = folder_stage_free,
                                   .stage_remove = folder_stage_remove,
                                   .free = folder_free};
    _cleanup_(fd_closep) int root = -1;
    char found[BLOB_STORE_ID_LEN + 1];
    BlobsFolder *self;
    int r = 0;

    if (id[0] == '\0' && mkdir(path, 0700) < 0 && errno != EEXIST) {
        return err_trace(err_errno());
    }
    root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 && errno == ENOENT) {
        *reterr = "there is no such folder: is its disk mounted?";
        return -ENOMEDIUM;
    }
    if (root < 0) {
        return err_trace(err_errno());
    }
    if ((r = recognise(root, id, found, reterr)) < 0 ||
        (r = folder_make_parents(root, "blobs/x", true)) < 0 ||
        (r = folder_make_parents(root, "stages/x", true)) < 0 ||
        (r = folder_make_parents(root, "tmp/x", true)) < 0) {
        return r;
    }
    tidy_tmp(root);
    self = calloc(1, sizeof(*self));
    if (!self) {
        abort();
    }
    self->base.impl = &impl;
    self->root = TAKE_FD(root);
    memcpy(ret_id, found, sizeof(found));
    *ret_blobs = &self->base;
    return 0;
}
