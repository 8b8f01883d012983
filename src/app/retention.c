/* SPDX-License-Identifier: Apache-2.0 */
#include "app/retention.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_S 86400

static DIR *open_folder(int parent, const char *path) {
    int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !folder) {
        fd_close(fd);
    }
    return folder;
}

static void close_folder(DIR **folder) {
    if (*folder) {
        closedir(*folder);
    }
}

static bool is_mail(const char *name, const struct stat *info) {
    size_t len = strlen(name);

    return S_ISREG(info->st_mode) && len > 4 && strcmp(name + len - 4, ".eml") == 0;
}

/* Also what was begun and never finished, whose name begins with a dot. */
static bool is_upload(const char *name, const struct stat *info) {
    const char *id = name + (name[0] == '.');

    return S_ISDIR(info->st_mode) && id[0] != '\0' && strspn(id, "0123456789abcdef") == strlen(id);
}

static int remove_file(int parent, const char *name) {
    return unlinkat(parent, name, 0) < 0 ? err_errno() : 0;
}

/* A folder with files in it, and no more. */
static int remove_upload(int parent, const char *name) {
    _cleanup_(close_folder) DIR *folder = open_folder(parent, name);
    const struct dirent *entry;

    if (!folder) {
        return err_errno();
    }
    while ((entry = readdir(folder))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(dirfd(folder), entry->d_name, 0) < 0) {
            return err_errno();
        }
    }
    return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? err_errno() : 0;
}

typedef struct Kept {
    const char *what, *path;
    uint64_t days; /* 0: for ever */
    bool (*is_one)(const char *name, const struct stat *info);
    int (*remove)(int parent, const char *name);
} Kept;

static void sweep(const Kept *kept) {
    _cleanup_(close_folder) DIR *folder =
        kept->days == 0 ? NULL : open_folder(AT_FDCWD, kept->path);
    int64_t before_s = clock_unix_s() - (int64_t)kept->days * DAY_S;
    const struct dirent *entry;
    unsigned n = 0;
    int failure = 0;

    while (folder && (entry = readdir(folder))) {
        struct stat info;
        if (fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0 ||
            info.st_mtime >= before_s || !kept->is_one(entry->d_name, &info)) {
            continue;
        }
        int r = kept->remove(dirfd(folder), entry->d_name);
        failure = r < 0 ? r : failure;
        n += r == 0;
    }
    if (n > 0) {
        log_info("kept long enough", LOG_STR("what", kept->what), LOG_INT("removed", n));
    }
    if (failure < 0) {
        log_error("not removed", LOG_STR("what", kept->what),
                  LOG_STR("error", strerrordesc_np(-failure)));
    }
}

void retention_sweep(const Settings *settings) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const Kept kept[] = {
        {"mail", settings->mail_dir, settings->mail_keep_days, is_mail, remove_file},
        {"improve", arena_printf(arena, "%s/improve", settings->data),
         settings->image.improve_keep_days, is_upload, remove_upload},
    };

    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        sweep(&kept[i]);
    }
}
