/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/blobs/folder/folder_private.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_path(BlobArea area, Str name, char ret_path[FOLDER_PATH_MAX]) {
    if (!blob_name_is_good(name)) {
        return err_trace(-EINVAL);
    }
    snprintf(ret_path, FOLDER_PATH_MAX, "%s/%.*s", area == BLOB_AREA_BLOBS ? "blobs" : "stages",
             (int)name.len, name.ptr);
    return 0;
}

/* The part of `path` before its last slash; "." when it has none. */
static void parent_of(const char *path, char ret_parent[FOLDER_PATH_MAX]) {
    const char *slash = strrchr(path, '/');

    snprintf(ret_parent, FOLDER_PATH_MAX, "%.*s", slash ? (int)(slash - path) : 1,
             slash ? path : ".");
}

int folder_sync_parent(int root, const char *path) {
    char parent[FOLDER_PATH_MAX];
    _cleanup_(fd_closep) int fd = -1;

    parent_of(path, parent);
    fd = openat(root, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 || fsync(fd) < 0 ? err_trace(err_errno()) : 0;
}

int folder_unlink(int root, const char *path) {
    char above[FOLDER_PATH_MAX], folder[FOLDER_PATH_MAX];

    if (unlinkat(root, path, 0) < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_trace(err_errno());
    }
    parent_of(path, folder);
    while (strchr(folder, '/') && unlinkat(root, folder, AT_REMOVEDIR) == 0) {
        memcpy(above, folder, sizeof(above));
        parent_of(above, folder);
    }
    return 0;
}

int folder_sync_parents(int root, const char *path) {
    char at[FOLDER_PATH_MAX], above[FOLDER_PATH_MAX];
    int r = 0;

    snprintf(at, sizeof(at), "%s", path);
    do {
        r = folder_sync_parent(root, at);
        parent_of(at, above);
        memcpy(at, above, sizeof(at));
    } while (r == 0 && strchr(at, '/'));
    return err_trace(r);
}

int folder_make_parents(int root, const char *path, bool durably) {
    char folder[FOLDER_PATH_MAX];

    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        if (mkdirat(root, folder, 0700) < 0) {
            if (errno != EEXIST) {
                return err_trace(err_errno());
            }
            continue; /* whoever made it syncs it before its blob is said to be there */
        }
        int r = durably ? folder_sync_parent(root, folder) : 0;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}
