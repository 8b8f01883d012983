/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/sync_folder_mark.h"

#include "app/file_io.h"
#include "base/crypto/digest.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Where the mark of the folder at that path is kept; NULL: nothing says where. */
static const char *mark_folder(Arena *arena) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (state && state[0] == '/') {
        return arena_printf(arena, "%s/imagesync/folders", state);
    }
    return home && home[0] == '/' ? arena_printf(arena, "%s/.local/state/imagesync/folders", home)
                                  : NULL;
}

static const char *mark_path(const SyncFolder *folder, const char *in, Arena *arena) {
    uint8_t digest[DIGEST_LEN];
    char hex[DIGEST_HEX_SIZE];

    digest_sha256(str_from(folder->path), digest);
    hex_encode((Str){(const char *)digest, sizeof(digest)}, hex);
    return arena_printf(arena, "%s/%.32s", in, hex);
}

/* 0; -ENOENT; -EBADMSG: there is something else; or a fault. */
static int read_id(int dir_fd, const char *path, char ret_id[UUID_TEXT_SIZE]) {
    _cleanup_(fd_closep) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    _cleanup_(buf_done) Buf text = BUF_INIT;
    Uuid id;
    int r;

    if (fd < 0) {
        return err_errno();
    }
    r = fd_read_to_end(fd, 4096, &text);
    if (r < 0) {
        return r;
    }
    if (text.len < UUID_TEXT_SIZE - 1 ||
        uuid_parse((Str){text.data, UUID_TEXT_SIZE - 1}, &id) < 0) {
        return -EBADMSG;
    }
    uuid_text(&id, ret_id);
    return 0;
}

int sync_folder_mark_check(SyncFolder *folder, bool is_new, Arena *arena,
                           const char **reterr_text) {
    const char *in = mark_folder(arena), *mark;
    char known[UUID_TEXT_SIZE] = "";
    int r;

    if (!in) {
        *reterr_text = "neither XDG_STATE_HOME nor HOME says where to remember the folder";
        return -ENOENT;
    }
    mark = mark_path(folder, in, arena);
    r = read_id(AT_FDCWD, mark, known);
    if (r < 0 && r != -ENOENT) {
        *reterr_text = arena_printf(arena, "%s: %s", mark, strerrordesc_np(-r));
        return r;
    }
    if (is_new && known[0]) {
        *reterr_text = arena_printf(
            arena,
            "%s was synced before, and its .imagesync is gone: perhaps a disk is not mounted. "
            "Nothing was done. To start anew with it as it is, remove %s",
            folder->path, mark);
        return -ESTALE;
    }
    r = is_new ? 0 : read_id(folder->fd, ".imagesync/id", folder->id);
    if (r < 0) {
        *reterr_text =
            arena_printf(arena, "%s/.imagesync/id: %s", folder->path, strerrordesc_np(-r));
        return r;
    }
    if (known[0] && strcmp(known, folder->id) != 0 && !is_new) {
        *reterr_text = arena_printf(
            arena,
            "%s is not the folder that was synced there before: perhaps another disk is mounted. "
            "Nothing was done. To go on with it as it is, remove %s",
            folder->path, mark);
        return -ESTALE;
    }
    return 0;
}

/* Under another name first: a half-written id would be one that is not known. */
static int write_id(int dir_fd, const char *path, const char *id, Arena *arena) {
    const char *fresh = arena_printf(arena, "%s.new", path);
    _cleanup_(fd_closep) int fd = -1;
    char text[UUID_TEXT_SIZE + 2];
    int r;

    fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_errno();
    }
    snprintf(text, sizeof(text), "%s\n", id);
    r = fd_write_all(fd, text, strlen(text));
    if (r == 0 && (fsync(fd) < 0 || renameat(dir_fd, fresh, dir_fd, path) < 0)) {
        r = err_errno();
    }
    return r;
}

int sync_folder_mark_make(SyncFolder *folder, bool is_new, Arena *arena) {
    const char *in = mark_folder(arena);
    int r = file_make_folders(in);

    if (r == 0 && is_new) {
        Uuid id = uuid_new();
        uuid_text(&id, folder->id);
        r = write_id(folder->own_fd, "id", folder->id, arena);
        if (r == 0) {
            fsync(folder->own_fd);
        }
    }
    return r < 0 ? r : write_id(AT_FDCWD, mark_path(folder, in, arena), folder->id, arena);
}
