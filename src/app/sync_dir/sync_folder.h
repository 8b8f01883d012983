/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A folder that is kept in sync. What is known of it lies in it, in .imagesync/:
 *
 *   id          a UUID; the same is kept in $XDG_STATE_HOME/imagesync/folders/ (else below
 *               ~/.local/state), so that a disk that is not mounted is never read as a folder from
 *               which everything was deleted
 *   state.db    see state_store.h
 *   lock        held while a sync runs
 *   tmp/        downloads under way
 *   trash/      files that were deleted at the server: nothing is unlinked
 *
 * Paths are relative to the folder. No symbolic link is followed below it, and nothing outside it
 * is reached (openat2(2), Linux 5.6).
 */

#include "base/arena.h"
#include "base/uuid.h"

#include <sys/stat.h>

typedef struct SyncFolder {
    const char *path; /* absolute, without symbolic links; in the arena */
    const char *state_path;
    int fd, own_fd, tmp_fd, trash_fd, lock_fd;
    char id[UUID_TEXT_SIZE];
} SyncFolder;
#define SYNC_FOLDER_INIT                                                                           \
    ((SyncFolder){.fd = -1, .own_fd = -1, .tmp_fd = -1, .trash_fd = -1, .lock_fd = -1})

/*
 * Opens and locks it, and makes what is its own when it is new. 0, or a negative with a whole
 * sentence, in the arena, in *reterr_text: it is not there, it is in use, or it is not the folder
 * that was synced there before. `peek`: only looks, takes no lock, makes nothing; -ENOENT: it was
 * never synced.
 */
int sync_folder_open(const char *path, bool peek, Arena *arena, SyncFolder *folder,
                     const char **reterr_text);
void sync_folder_done(SyncFolder *folder); /* also of one that is half open */

/* Whether what is at the path is still what was opened: 0, or -ESTALE. */
int sync_folder_check(const SyncFolder *folder);

/* 0; -ENOENT: no regular file is there; or a fault. */
int sync_folder_stat(const SyncFolder *folder, Str path, struct stat *ret_stat);
/* For reading. -ENOENT: no regular file is there; -EACCES; or a fault. */
int sync_folder_open_file(const SyncFolder *folder, Str path, int *ret_fd);

/* Moves a file into trash/, under a name that is free. 0; -ENOENT: it has gone. */
int sync_folder_to_trash(const SyncFolder *folder, Str path);
/*
 * Moves a file into the folder `to` ("": DIR itself), which is there, under a name that is like
 * `name` and free; the new path is in the arena. `from_tmp`: `path` is a name in tmp/.
 */
int sync_folder_rename(const SyncFolder *folder, Str path, bool from_tmp, Str to, const char *name,
                       Arena *arena, Str *ret_path);
/* The path that sync_folder_rename() would give, if nobody takes it in between. */
int sync_folder_free_name(const SyncFolder *folder, Str to, const char *name, Arena *arena,
                          Str *ret_path);

/* Whether there is such a folder, or one that cannot be looked into. */
bool sync_folder_has(const SyncFolder *folder, Str path);
/* Makes a folder and those it is in, if they are not there. -ENOENT: a file or a link is. */
int sync_folder_make(const SyncFolder *folder, Str path);
/* Takes a folder away, and those it is in, as far as nothing at all is in them. */
void sync_folder_tidy(const SyncFolder *folder, Str path);

/* The folder that a path is in; "": DIR itself. */
Str sync_folder_of(Str path);
