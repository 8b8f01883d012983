/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names in order. A slash sorts before all else that a name may hold, so the order of whole names
 * is that of their parts, folder by folder.
 */

#include "adapters/blobs/folder/folder_private.h"
#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_MAX 1000

typedef struct Walk {
    Str after;
    size_t max, n;
    Arena *arena;
    BlobEntry *entries;
} Walk;

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The parts that are in a folder, sorted; freed by the caller, one by one and all. */
static int read_parts(int fd, char ***ret_parts, size_t *ret_n) {
    DIR *folder = fdopendir(fd);
    char **parts = NULL;
    size_t n = 0, capacity = 0;
    const struct dirent *entry;

    if (!folder) {
        int r = err_errno();
        fd_close(fd);
        return err_trace(r);
    }
    while ((errno = 0, entry = readdir(folder))) {
        if (!blob_name_is_good(str_from(entry->d_name))) {
            continue; /* ".", "..", and what is not ours */
        }
        if (n == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            parts = reallocarray(parts, capacity, sizeof(*parts));
        }
        if (!parts || !(parts[n++] = strdup(entry->d_name))) {
            abort();
        }
    }
    int r = errno == 0 ? 0 : err_errno();
    closedir(folder);
    if (n > 0) {
        qsort(parts, n, sizeof(*parts), compare_names);
    }
    *ret_parts = parts;
    *ret_n = n;
    return err_trace(r);
}

/* Whether something below `name`/ could come after walk->after. */
static bool may_hold(const Walk *walk, Str name) {
    size_t len = MIN(name.len, walk->after.len);
    int order = len > 0 ? memcmp(name.ptr, walk->after.ptr, len) : 0;

    return order > 0 ||
           (order == 0 && (walk->after.len <= name.len || walk->after.ptr[name.len] == '/'));
}

static bool comes_after(const Walk *walk, Str name) {
    size_t len = MIN(name.len, walk->after.len);
    int order = len > 0 ? memcmp(name.ptr, walk->after.ptr, len) : 0;

    return order > 0 || (order == 0 && name.len > walk->after.len);
}

static int walk_folder(Walk *walk, int at, const char *path, Str prefix);

static int visit(Walk *walk, int folder, const char *part, Str prefix) {
    char text[BLOB_NAME_LEN_MAX + 1];
    Str name = {text, prefix.len + strlen(part)};
    struct stat status;

    if (name.len > BLOB_NAME_LEN_MAX) {
        return 0; /* none of ours */
    }
    snprintf(text, sizeof(text), "%.*s%s", (int)prefix.len, prefix.ptr, part);
    if (!may_hold(walk, name)) {
        return 0;
    }
    if (fstatat(folder, part, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : err_trace(err_errno()); /* removed meanwhile */
    }
    if (S_ISDIR(status.st_mode)) {
        return walk_folder(walk, folder, part, str_from(arena_printf(walk->arena, "%s/", text)));
    }
    if (S_ISREG(status.st_mode) && comes_after(walk, name)) {
        walk->entries[walk->n++] = (BlobEntry){.name = {arena_strdup(walk->arena, name), name.len},
                                               .size = (uint64_t)status.st_size,
                                               .changed_us = status.st_mtim.tv_sec * 1000000LL +
                                                             status.st_mtim.tv_nsec / 1000};
    }
    return 0;
}

static int walk_folder(Walk *walk, int at, const char *path, Str prefix) {
    _cleanup_(fd_closep) int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    char **parts = NULL;
    size_t n = 0;
    int r = 0, copy;

    if (fd < 0) {
        return errno == ENOENT ? 0 : err_trace(err_errno());
    }
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    r = copy < 0 ? err_errno() : read_parts(copy, &parts, &n);
    for (size_t i = 0; i < n; i++) {
        if (r == 0 && walk->n < walk->max) {
            r = visit(walk, fd, parts[i], prefix);
        }
        free(parts[i]);
    }
    free((void *)parts);
    return err_trace(r);
}

int folder_list(Blobs *blobs, BlobArea area, Str after, size_t max, Arena *arena,
                BlobEntry **ret_entries, size_t *ret_n) {
    const BlobsFolder *self = (BlobsFolder *)blobs;
    Walk walk = {.after = after, .max = MIN(max, (size_t)LIST_MAX), .arena = arena};
    int r = folder_check(self);

    if (r < 0) {
        return err_trace(r);
    }
    walk.entries = arena_alloc(arena, (walk.max + 1) * sizeof(*walk.entries));
    r = walk_folder(&walk, self->root, area == BLOB_AREA_BLOBS ? "blobs" : "stages", (Str){0});
    if (r < 0) {
        return err_trace(r);
    }
    *ret_entries = walk.entries;
    *ret_n = walk.n;
    return 0;
}
