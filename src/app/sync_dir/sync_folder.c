/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/sync_folder.h"

#include "app/sync_dir/safe_name.h"
#include "app/sync_dir/sync_folder_mark.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OWN_NAME    ".imagesync"
#define NUMBERS_MAX 10000

/* Below `dir_fd`, by no link. */
static int open_beneath(int dir_fd, const char *path, int flags, int *ret_fd) {
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

    if (fd < 0) {
        return errno == ENOTDIR || errno == ELOOP || errno == EXDEV ? -ENOENT : err_errno();
    }
    *ret_fd = (int)fd;
    return 0;
}

static int own_folder(int dir_fd, const char *name, bool peek, int *ret_fd) {
    if (!peek && mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST) {
        return err_errno();
    }
    return open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, ret_fd);
}

static int open_own(SyncFolder *folder, bool peek) {
    int r = own_folder(folder->fd, OWN_NAME, peek, &folder->own_fd);

    if (r == 0 && !peek) {
        r = own_folder(folder->own_fd, "tmp", false, &folder->tmp_fd);
    }
    if (r == 0 && !peek) {
        r = own_folder(folder->own_fd, "trash", false, &folder->trash_fd);
    }
    if (r == 0 && !peek) {
        folder->lock_fd =
            openat(folder->own_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        r = folder->lock_fd < 0 ? err_errno() : 0;
    }
    if (r == 0 && !peek && flock(folder->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        r = err_errno();
    }
    return r;
}

static const char *explain(const SyncFolder *folder, int r, Arena *arena) {
    if (r == -EWOULDBLOCK) {
        return arena_printf(arena, "%s: another 'imagesync sync' is at work there", folder->path);
    }
    return arena_printf(arena, "%s: %s", folder->path, strerrordesc_np(-r));
}

int sync_folder_open(const char *path, bool peek, Arena *arena, SyncFolder *folder,
                     const char **reterr_text) {
    _cleanup_(freep) char *real = realpath(path, NULL);
    bool is_new;
    int r;

    *folder = SYNC_FOLDER_INIT;
    folder->path = arena_strdup(arena, str_from(real ? real : path));
    folder->fd = real ? open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder->fd < 0) {
        r = err_errno();
        *reterr_text = explain(folder, r, arena);
        return r;
    }
    is_new = faccessat(folder->fd, OWN_NAME "/id", F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    r = sync_folder_mark_check(folder, is_new, arena, reterr_text);
    if (r < 0) {
        return r;
    }
    if (is_new && peek) {
        *reterr_text = arena_printf(arena, "%s is not synced", folder->path);
        return -ENOENT;
    }
    r = open_own(folder, peek);
    if (r == 0 && !peek) {
        r = sync_folder_mark_make(folder, is_new, arena);
    }
    if (r < 0) {
        *reterr_text = explain(folder, r, arena);
        return r;
    }
    folder->state_path = arena_printf(arena, "%s/" OWN_NAME "/state.db", folder->path);
    return 0;
}

void sync_folder_done(SyncFolder *folder) {
    folder->fd = fd_close(folder->fd);
    folder->own_fd = fd_close(folder->own_fd);
    folder->tmp_fd = fd_close(folder->tmp_fd);
    folder->trash_fd = fd_close(folder->trash_fd);
    folder->lock_fd = fd_close(folder->lock_fd);
}

int sync_folder_check(const SyncFolder *folder) {
    struct stat there, here;

    if (stat(folder->path, &there) < 0 || fstat(folder->fd, &here) < 0 ||
        there.st_dev != here.st_dev || there.st_ino != here.st_ino ||
        faccessat(folder->fd, OWN_NAME "/id", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        return -ESTALE;
    }
    return 0;
}

static int open_path(const SyncFolder *folder, Str path, int flags, int *ret_fd) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_add_str(&text, path);
    return open_beneath(folder->fd, buf_cstr(&text), flags, ret_fd);
}

static int stat_regular(int fd, struct stat *ret_stat) {
    struct stat found;

    if (fstat(fd, &found) < 0) {
        return err_errno();
    }
    if (!S_ISREG(found.st_mode)) {
        return -ENOENT;
    }
    *ret_stat = found;
    return 0;
}

int sync_folder_stat(const SyncFolder *folder, Str path, struct stat *ret_stat) {
    _cleanup_(fd_closep) int fd = -1;
    int r = open_path(folder, path, O_PATH, &fd);

    return r < 0 ? r : stat_regular(fd, ret_stat);
}

int sync_folder_open_file(const SyncFolder *folder, Str path, int *ret_fd) {
    _cleanup_(fd_closep) int fd = -1;
    struct stat found;
    int r = open_path(folder, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd);

    if (r == 0) {
        r = stat_regular(fd, &found);
    }
    if (r == 0) {
        *ret_fd = TAKE_FD(fd);
    }
    return r;
}

/* The folder that the path is in, and the path's last component. */
static int open_parent(const SyncFolder *folder, Str path, int *ret_fd, Str *ret_name) {
    const char *slash = memrchr(path.ptr, '/', path.len);
    size_t len = slash ? (size_t)(slash - path.ptr) : 0;

    *ret_name = slash ? (Str){slash + 1, path.len - len - 1} : path;
    return open_path(folder, slash ? (Str){path.ptr, len} : str_lit("."), O_RDONLY | O_DIRECTORY,
                     ret_fd);
}

/* Where a file moves: into the first name like `name` that is free. */
static int move_to_free(int from_fd, const char *from, int to_fd, const char *name,
                        char ret_name[SAFE_NAME_SIZE]) {
    for (unsigned number = 1; number < NUMBERS_MAX; number++) {
        safe_name_local(name, number, ret_name);
        if (renameat2(from_fd, from, to_fd, ret_name, RENAME_NOREPLACE) == 0) {
            fsync(to_fd);
            return 0;
        }
        if (errno != EEXIST) {
            return err_errno();
        }
    }
    return -EEXIST;
}

int sync_folder_to_trash(const SyncFolder *folder, Str path) {
    _cleanup_(fd_closep) int parent = -1;
    char name[SAFE_NAME_SIZE];
    _cleanup_(buf_done) Buf from = BUF_INIT;
    Str last;
    int r = open_parent(folder, path, &parent, &last);

    if (r < 0) {
        return r;
    }
    buf_add_str(&from, last);
    return move_to_free(parent, from.data, folder->trash_fd, from.data, name);
}

static Str joined(Str folder, const char *name, Arena *arena) {
    return str_from(arena_printf(arena, "%.*s%s%s", (int)folder.len, folder.ptr,
                                 folder.len > 0 ? "/" : "", name));
}

static int open_folder(const SyncFolder *folder, Str path, int *ret_fd) {
    return open_path(folder, path.len > 0 ? path : str_lit("."), O_RDONLY | O_DIRECTORY, ret_fd);
}

bool sync_folder_has(const SyncFolder *folder, Str path) {
    _cleanup_(fd_closep) int fd = -1;

    return open_folder(folder, path, &fd) != -ENOENT;
}

int sync_folder_make(const SyncFolder *folder, Str path) {
    _cleanup_(fd_closep) int parent = -1;
    Str rest = path, name;
    int r = open_folder(folder, str_lit(""), &parent);

    while (r == 0 && str_next_token(&rest, "/", &name)) {
        _cleanup_(buf_done) Buf text = BUF_INIT;
        int fd = -1;
        if (name.len == 0) {
            continue;
        }
        buf_add_str(&text, name);
        if (mkdirat(parent, buf_cstr(&text), 0777) < 0 && errno != EEXIST) {
            return err_errno();
        }
        r = open_beneath(parent, buf_cstr(&text), O_RDONLY | O_DIRECTORY, &fd);
        fd_close(parent);
        parent = fd;
    }
    return r;
}

void sync_folder_tidy(const SyncFolder *folder, Str path) {
    while (path.len > 0) {
        _cleanup_(fd_closep) int parent = -1;
        _cleanup_(buf_done) Buf name = BUF_INIT;
        Str last;
        if (open_parent(folder, path, &parent, &last) < 0) {
            return;
        }
        buf_add_str(&name, last);
        if (unlinkat(parent, buf_cstr(&name), AT_REMOVEDIR) < 0) {
            return;
        }
        path.len = last.len < path.len ? path.len - last.len - 1 : 0;
    }
}

int sync_folder_rename(const SyncFolder *folder, Str path, bool from_tmp, Str to, const char *name,
                       Arena *arena, Str *ret_path) {
    _cleanup_(fd_closep) int parent = -1;
    _cleanup_(fd_closep) int target = -1;
    _cleanup_(buf_done) Buf from = BUF_INIT;
    char local[SAFE_NAME_SIZE];
    Str last = path;
    int r = open_folder(folder, to, &target);

    if (r == 0 && !from_tmp) {
        r = open_parent(folder, path, &parent, &last);
    }
    if (r < 0) {
        return r;
    }
    buf_add_str(&from, last);
    r = move_to_free(from_tmp ? folder->tmp_fd : parent, from.data, target, name, local);
    if (r == 0) {
        *ret_path = joined(to, local, arena);
    }
    return r;
}

int sync_folder_free_name(const SyncFolder *folder, Str to, const char *name, Arena *arena,
                          Str *ret_path) {
    _cleanup_(fd_closep) int target = -1;
    char local[SAFE_NAME_SIZE];
    struct stat found;
    int r = open_folder(folder, to, &target);

    for (unsigned number = 1; r == 0 && number < NUMBERS_MAX; number++) {
        safe_name_local(name, number, local);
        if (fstatat(target, local, &found, AT_SYMLINK_NOFOLLOW) < 0) {
            *ret_path = joined(to, local, arena);
            return errno == ENOENT ? 0 : err_errno();
        }
    }
    return r < 0 ? r : -EEXIST;
}

Str sync_folder_of(Str path) {
    const char *slash = memrchr(path.ptr, '/', path.len);

    return slash ? (Str){path.ptr, (size_t)(slash - path.ptr)} : str_lit("");
}
