/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A photo from the library: into .imagesync/tmp, where a later run goes on, then by rename(2) into
 * place. Its row is written before it has its name, with its inode, so that whenever we are ended
 * the file is known again.
 */

#include "app/sync_dir/content_hash.h"
#include "app/sync_dir/sync_dir.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

typedef struct Download {
    SyncDir *sync;
    SyncLink *link;
    const StatePhoto *photo;
    Str folder;
    int fd;
    uint64_t offset; /* what is in the file */
    bool resumed;
    uint8_t sha256[DIGEST_LEN];
} Download;

/* -EMSGSIZE: it is longer than it can be. */
static int write_piece(void *userdata, unsigned status, Str bytes) {
    Download *download = userdata;
    int r;

    if (download->resumed && status != 206) {
        download->resumed = false; /* the server begins anew */
        download->offset = 0;
        if (ftruncate(download->fd, 0) < 0 || lseek(download->fd, 0, SEEK_SET) < 0) {
            return err_errno();
        }
    }
    if (bytes.len > (uint64_t)download->photo->size - download->offset) {
        return -EMSGSIZE;
    }
    r = fd_write_all(download->fd, bytes.ptr, bytes.len);
    if (r < 0) {
        return r == -EFBIG || r == -EDQUOT ? -ENOSPC : r;
    }
    download->offset += bytes.len;
    return 0;
}

static int open_tmp(Download *download) {
    struct stat found;

    download->fd = openat(download->sync->folder.tmp_fd, download->photo->id,
                          O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (download->fd < 0 || fstat(download->fd, &found) < 0) {
        return err_errno();
    }
    if (found.st_size > download->photo->size) {
        found.st_size = 0;
        if (ftruncate(download->fd, 0) < 0) {
            return err_errno();
        }
    }
    download->offset = (uint64_t)found.st_size;
    download->resumed = found.st_size > 0;
    return lseek(download->fd, found.st_size, SEEK_SET) < 0 ? err_errno() : 0;
}

/* Nothing that is only half of it, or something else, is taken up again. */
static void begin_anew(Download *download) {
    (void)unlinkat(download->sync->folder.tmp_fd, download->photo->id, 0);
}

/* The server does not give it. */
static int refused(Download *download, const SyncLinkAnswer *answer) {
    StatePhoto photo = *download->photo;
    Arena *arena = download->link->arena;
    int r;

    begin_anew(download);
    photo.fate = FATE_REFUSED;
    r = state_photo_put(&download->sync->state, &photo);
    if (answer->status != 404 && answer->status != 410) { /* these are told by a change to come */
        report_failed(
            &download->sync->report, str_from(photo.name),
            arena_printf(arena, "cannot be downloaded (%u) %s", answer->status, answer->reason));
    }
    return r < 0 ? r : SYNC_DIR_E_OWN;
}

static int fetch(Download *download) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    SyncLink *link = download->link;
    SyncLinkCall call = {
        .method = "GET",
        .path = arena_printf(link->arena, "/v1/photos/%s/original", download->photo->id),
        .write = write_piece,
        .userdata = download};
    int r;

    if (download->resumed) {
        call.headers[0] =
            arena_printf(link->arena, "Range: bytes=%llu-", (unsigned long long)download->offset);
    }
    r = sync_link_call(link, &call, &answer);
    if (r == -EMSGSIZE) {
        begin_anew(download);
        link->error = arena_printf(link->arena, "the server sends more of %s than there is",
                                   download->photo->name);
        return SYNC_LINK_E_AWAY;
    }
    if (r != 0) {
        return r;
    }
    if (answer.status == 416) {
        begin_anew(download);
        link->error = "the server has less than what is here";
        return SYNC_LINK_E_AWAY;
    }
    if (answer.status != 200 && answer.status != 206) {
        return refused(download, &answer);
    }
    if (download->offset != (uint64_t)download->photo->size) {
        link->error = arena_printf(link->arena, "the server sent less of %s than there is",
                                   download->photo->name);
        return SYNC_LINK_E_AWAY;
    }
    return 0;
}

/* Of what was put together from several answers the library is asked whether it is what it has. */
static int verify(Download *download) {
    _cleanup_(content_hash_freep) ContentHash *hash = content_hash_new();
    _cleanup_(json_decrefp) json_t *answers = NULL;
    StateFile file = {.size = download->photo->size};
    const char *id;
    int r = content_hash_add_file(hash, download->fd, (uint64_t)file.size, download->sync->stop_fd);

    if (r < 0) {
        return r;
    }
    content_hash_end(hash, file.sha256);
    memcpy(download->sha256, file.sha256, DIGEST_LEN);
    if (!download->resumed) {
        return 0;
    }
    r = check_contents(download->link, &file, 1, &answers);
    if (r != 0) {
        return r;
    }
    id = json_string_value(json_object_get(json_array_get(answers, 0), "photo"));
    if (!id || strcmp(id, download->photo->id) != 0) {
        begin_anew(download);
        download->link->error =
            arena_printf(download->link->arena, "%s did not arrive whole", download->photo->name);
        return SYNC_LINK_E_AWAY;
    }
    return 0;
}

/* Under the lock: no two downloads are to take the same name. */
static int place(Download *download) {
    SyncDir *sync = download->sync;
    Arena *arena = download->link->arena;
    StateFile file = STATE_FILE_INIT;
    struct stat found;
    Str path, folder = download->folder;
    int r = fstat(download->fd, &found) < 0 ? err_errno() : 0;

    file.size = download->photo->size;
    file.hashed = file.arriving = true;
    file.photo = download->photo->id;
    file.name = download->photo->name;
    file.version = download->photo->version;
    file.albums = download->photo->albums;
    file.folder = folder;
    memcpy(file.sha256, download->sha256, DIGEST_LEN);
    file.mtime_ns = (int64_t)found.st_mtim.tv_sec * 1000000000 + found.st_mtim.tv_nsec;
    file.inode = (int64_t)found.st_ino;
    if (r == 0) {
        r = sync_folder_make(&sync->folder, folder);
        if (r < 0 && r != -ENOSPC && r != -EDQUOT) { /* a file or a link has that name */
            folder = str_lit("");
            r = 0;
        }
    }
    if (r == 0) {
        r = sync_folder_free_name(&sync->folder, folder, file.name, arena, &file.path);
    }
    if (r == 0) {
        r = state_files_put(&sync->state, &file, 1);
    }
    if (r == 0) {
        r = sync_folder_rename(&sync->folder, str_from(download->photo->id), true, folder,
                               file.name, arena, &path);
    }
    if (r < 0) {
        return r;
    }
    file.arriving = false;
    if (fstat(download->fd, &found) == 0) {
        state_file_renamed(&file, &found);
    }
    if (!str_equal(path, file.path)) { /* somebody took that name in between */
        Str before = file.path;
        file.path = path;
        r = state_file_move(&sync->state, before, &file);
    }
    if (r == 0) {
        r = state_file_arrive(&sync->state, &file);
    }
    if (r == 0) {
        report_received(&sync->report, file.path);
    }
    return r;
}

int download_photo(SyncDir *sync, SyncLink *link, void *task) {
    const DownloadTask *wanted = task;
    Download download = {
        .sync = sync, .link = link, .photo = &wanted->photo, .folder = wanted->folder, .fd = -1};
    int r = open_tmp(&download);

    if (r == 0 && download.offset < (uint64_t)download.photo->size) {
        r = fetch(&download);
    }
    if (r == 0) {
        r = verify(&download);
    }
    if (r == 0 && fsync(download.fd) < 0) {
        r = err_errno();
    }
    if (r == 0) {
        pthread_mutex_lock(&sync->place_lock);
        r = place(&download);
        pthread_mutex_unlock(&sync->place_lock);
    }
    download.fd = fd_close(download.fd);
    return r == -EFBIG || r == -EDQUOT ? -ENOSPC : r;
}
