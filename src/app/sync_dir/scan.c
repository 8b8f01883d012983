/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/scan.h"

#include "app/sync_dir/safe_name.h"
#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

/* A walk under way. */
typedef struct Walk {
    Scan scan;
    size_t capacity;
    int64_t settled_ns; /* what was changed since is not settled */
    Watch *watch;
    Report *report;
    Buf path;
    unsigned depth;
} Walk;

int scan_compare(Str a, Str b) {
    int order = memcmp(a.ptr, b.ptr, MIN(a.len, b.len));

    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

static int compare_files(const void *a, const void *b) {
    return scan_compare(((const ScanFile *)a)->path, ((const ScanFile *)b)->path);
}

static int64_t in_ns(struct timespec time) {
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int add_file(Walk *walk, const struct stat *found) {
    Scan *scan = &walk->scan;
    ScanFile *file;

    if (scan->n_files == SCAN_FILES_MAX) {
        return -E2BIG;
    }
    if (scan->n_files == walk->capacity) {
        walk->capacity = MAX(2 * walk->capacity, (size_t)256);
        scan->files = realloc(scan->files, walk->capacity * sizeof(*scan->files));
        if (!scan->files) {
            abort();
        }
    }
    file = &scan->files[scan->n_files++];
    *file = (ScanFile){.path = str_from(arena_strdup(scan->arena, buf_str(&walk->path))),
                       .size = found->st_size,
                       .mtime_ns = in_ns(found->st_mtim),
                       .ctime_ns = in_ns(found->st_ctim),
                       .inode = (int64_t)found->st_ino,
                       .settled = in_ns(found->st_ctim) <= walk->settled_ns};
    scan->n_unsettled += !file->settled;
    return 0;
}

static void add_unknown(Walk *walk, int error) {
    Scan *scan = &walk->scan;
    Str path = str_from(arena_strdup(scan->arena, buf_str(&walk->path)));

    scan->unknown = realloc(scan->unknown, (scan->n_unknown + 1) * sizeof(*scan->unknown));
    if (!scan->unknown) {
        abort();
    }
    scan->unknown[scan->n_unknown++] = path;
    report_failed_once(walk->report, path, strerrordesc_np(error));
}

static int walk_folder(Walk *walk, int dir_fd); /* takes the descriptor */

static void walk_below(Walk *walk, int dir_fd, const char *name, int *result) {
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR)) {
        return; /* it has gone, or become something else, since it was listed */
    }
    if (fd < 0 || walk->depth >= SCAN_DEPTH_MAX) {
        add_unknown(walk, fd < 0 ? errno : ELOOP);
        fd_close(fd);
        return;
    }
    walk->depth++;
    *result = walk_folder(walk, fd);
    walk->depth--;
    if (*result < 0 && *result != -E2BIG) {
        add_unknown(walk, -*result);
        *result = 0;
    }
}

static int walk_entry(Walk *walk, int dir_fd, const char *name) {
    size_t len = walk->path.len;
    struct stat found;
    int r = 0;

    if (name[0] == '.' || fstatat(dir_fd, name, &found, AT_SYMLINK_NOFOLLOW) < 0) {
        return 0; /* hidden, or gone since it was listed */
    }
    if (len > 0) {
        buf_add_str(&walk->path, str_lit("/"));
    }
    buf_add_str(&walk->path, str_from(name));
    if (S_ISDIR(found.st_mode)) {
        walk_below(walk, dir_fd, name, &r);
    } else if (S_ISREG(found.st_mode) && !safe_name_is_passed_over(name)) {
        r = add_file(walk, &found);
    }
    walk->path.len = len;
    if (walk->path.data) {
        walk->path.data[len] = '\0';
    }
    return r;
}

static int walk_folder(Walk *walk, int dir_fd) {
    DIR *dir;
    struct dirent *entry;
    int r = 0;

    if (walk->watch) {
        watch_add(walk->watch, dir_fd);
    }
    dir = fdopendir(dir_fd);
    if (!dir) {
        r = err_errno();
        fd_close(dir_fd);
        return r;
    }
    while (r == 0) {
        errno = 0;
        entry = readdir(dir);
        if (!entry) {
            r = errno != 0 ? -errno : 0;
            break;
        }
        r = walk_entry(walk, dirfd(dir), entry->d_name);
    }
    closedir(dir);
    return r;
}

int scan_run(const SyncFolder *folder, uint32_t settle_s, Watch *watch, Report *report,
             Arena *arena, Scan *ret_scan) {
    Walk walk = {.scan = {.arena = arena}, .watch = watch, .report = report};
    struct timespec now;
    int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

    if (fd < 0) {
        return err_errno();
    }
    clock_gettime(CLOCK_REALTIME, &now);
    if (watch) {
        watch_begin(watch);
    }
    walk.settled_ns = in_ns(now) - (int64_t)settle_s * 1000000000;
    r = walk_folder(&walk, fd);
    buf_done(&walk.path);
    if (r < 0) {
        scan_done(&walk.scan);
        return err_trace(r);
    }
    if (walk.scan.n_files > 1) {
        qsort(walk.scan.files, walk.scan.n_files, sizeof(*walk.scan.files), compare_files);
    }
    *ret_scan = walk.scan;
    return 0;
}

void scan_done(Scan *scan) {
    free(scan->files);
    free(scan->unknown);
    *scan = (Scan){0};
}

bool scan_is_unknown(const Scan *scan, Str path) {
    for (size_t i = 0; i < scan->n_unknown; i++) {
        Str folder = scan->unknown[i];
        if (path.len > folder.len && str_starts_with(path, folder) && path.ptr[folder.len] == '/') {
            return true;
        }
    }
    return false;
}
