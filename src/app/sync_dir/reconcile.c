/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is in the folder against what was known of it. A file that moved keeps its photo: it is
 * known again by its inode or, once hashed, by its content. A file that is gone is noted as not
 * kept here, only a photo that no other file has; when its folder is gone too, as wanted back. What
 * is still being written waits.
 */

#include "app/sync_dir/content_hash.h"
#include "app/sync_dir/sync_dir.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PUT_BATCH 64
/* With --delete-to-trash: when more than this, and more than half, are gone at once, something else
 * has happened than that somebody deleted them. */
#define GONE_AT_ONCE_MAX 10

typedef struct Reconcile {
    SyncDir *sync;
    StateFile *rows;
    size_t n_rows;
    StateFile **missing; /* rows without a file; NULL: found again */
    size_t n_missing;
    const ScanFile **fresh; /* files that are new or changed, with their rows if any */
    StateFile **fresh_rows;
    size_t n_fresh;
    StateFile batch[PUT_BATCH];
    size_t n_batch;
} Reconcile;

static int flush(Reconcile *work) {
    int r = state_files_put(&work->sync->state, work->batch, work->n_batch);

    work->n_batch = 0;
    return r;
}

static int put_later(Reconcile *work, const StateFile *file) {
    work->batch[work->n_batch++] = *file;
    return work->n_batch == PUT_BATCH ? flush(work) : 0;
}

/* Without ctime, which a rename changes. */
static bool is_same_inode(const StateFile *row, const ScanFile *file) {
    return row->size == file->size && row->mtime_ns == file->mtime_ns && row->inode == file->inode;
}

/* Other bytes of the same length under the old mtime still have a new ctime. */
static bool is_same(const StateFile *row, const ScanFile *file) {
    return is_same_inode(row, file) && (row->ctime_ns == 0 || row->ctime_ns == file->ctime_ns);
}

/* Both are ordered by path. */
static int compare_all(Reconcile *work) {
    const Scan *scan = &work->sync->scan;
    size_t i = 0, j = 0;
    int r = 0;

    while (r == 0 && (i < scan->n_files || j < work->n_rows)) {
        const ScanFile *file = i < scan->n_files ? &scan->files[i] : NULL;
        StateFile *row = j < work->n_rows ? &work->rows[j] : NULL;
        int order = !file ? 1 : !row ? -1 : scan_compare(file->path, row->path);

        i += order <= 0;
        j += order >= 0;
        if (order > 0) {
            if (!scan_is_unknown(scan, row->path)) {
                work->missing[work->n_missing++] = row;
            }
        } else if (order < 0 || !is_same(row, file)) {
            work->fresh[work->n_fresh] = file;
            work->fresh_rows[work->n_fresh++] = order == 0 ? row : NULL;
        } else if (row->arriving) {
            row->arriving = false; /* it had its name when we were ended */
            row->ctime_ns = file->ctime_ns;
            r = state_file_arrive(&work->sync->state, row);
        } else if (row->ctime_ns == 0) {
            row->ctime_ns = file->ctime_ns;
            r = put_later(work, row);
        }
    }
    return r;
}

static const char *base_name(Str path) {
    const char *slash = memrchr(path.ptr, '/', path.len);

    return slash ? slash + 1 : path.ptr; /* paths in the arena are terminated */
}

/* A file has come from another path: what that means for its album. */
static void note_folder(StateFile *row, Str from) {
    Str folder = sync_folder_of(row->path), left = sync_folder_of(from);

    if (str_equal(folder, left)) {
        return;
    }
    if (row->move_due == MOVE_HERE && str_equal(folder, row->folder)) {
        row->move_due = MOVE_NONE; /* we did that ourselves, and were ended */
        return;
    }
    if (row->move_due != MOVE_THERE) {
        row->left = left;
        row->move_due = MOVE_THERE;
    }
}

/* The row's file is now at that path. */
static int move(Reconcile *work, StateFile **missing, const ScanFile *file) {
    StateFile row = **missing;
    Str from = row.path;

    *missing = NULL;
    row.path = file->path;
    row.size = file->size;
    row.mtime_ns = file->mtime_ns;
    row.ctime_ns = file->ctime_ns;
    row.inode = file->inode;
    note_folder(&row, from);
    if (row.arriving) {
        row.arriving = false;
        return state_file_arrive(&work->sync->state, &row) < 0
                   ? -EIO
                   : state_file_remove(&work->sync->state, from);
    }
    if (row.photo[0] && strcmp(base_name(from), base_name(row.path)) != 0) {
        row.rename_due = true;
    }
    return state_file_move(&work->sync->state, from, &row);
}

static int compare_inodes(const void *a, const void *b) {
    int64_t one = (*(StateFile *const *)a)->inode, other = (*(StateFile *const *)b)->inode;

    return one < other ? -1 : one > other;
}

/* Files under new names that are known by their inode. */
static int find_moved(Reconcile *work) {
    size_t kept = 0;
    int r = 0;

    if (work->n_missing > 0) {
        qsort(work->missing, work->n_missing, sizeof(StateFile *), compare_inodes);
    }
    for (size_t i = 0; i < work->n_fresh && r == 0; i++) {
        const ScanFile *file = work->fresh[i];
        size_t low = 0, high = work->n_missing;
        bool found = false;

        /* Rows that were found stay where they are until the end, so that the order holds. */
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (work->missing[middle]->inode < file->inode) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        for (; !work->fresh_rows[i] && low < work->n_missing &&
               work->missing[low]->inode == file->inode;
             low++) {
            if (is_same_inode(work->missing[low], file) && work->missing[low]->path.len > 0) {
                StateFile *row = work->missing[low];
                r = move(work, &(StateFile *){row}, file);
                row->path.len = 0; /* found */
                found = true;
                break;
            }
        }
        if (!found) {
            work->fresh[kept] = file;
            work->fresh_rows[kept++] = work->fresh_rows[i];
        }
    }
    work->n_fresh = kept;
    kept = 0;
    for (size_t i = 0; i < work->n_missing; i++) {
        if (work->missing[i]->path.len > 0) {
            work->missing[kept++] = work->missing[i];
        }
    }
    work->n_missing = kept;
    return r;
}

enum {
    HASH_E_UNSETTLED = 1,
    HASH_E_UNREADABLE,
    HASH_E_GONE,
};

static bool is_unchanged(int fd, const ScanFile *file) {
    const StateFile row = {.size = file->size,
                           .mtime_ns = file->mtime_ns,
                           .ctime_ns = file->ctime_ns,
                           .inode = file->inode};
    struct stat now;

    return fstat(fd, &now) == 0 && state_file_is(&row, &now);
}

/* A lease for reading is refused while anybody has the file open for writing (fcntl(2)). Where
 * there are no leases, time alone tells. */
static bool has_writer(int fd) {
    if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) {
        return errno == EAGAIN;
    }
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return false;
}

static int hash_file(Reconcile *work, const ScanFile *file, uint8_t ret_sha256[DIGEST_LEN]) {
    _cleanup_(content_hash_freep) ContentHash *hash = content_hash_new();
    _cleanup_(fd_closep) int fd = -1;
    int r = sync_folder_open_file(&work->sync->folder, file->path, &fd);

    if (r < 0) {
        if (r != -ENOENT) {
            report_failed_once(&work->sync->report, file->path, strerrordesc_np(-r));
        }
        return r == -ENOENT ? HASH_E_GONE : HASH_E_UNREADABLE;
    }
    if (!is_unchanged(fd, file) || has_writer(fd)) {
        return HASH_E_UNSETTLED;
    }
    r = content_hash_add_file(hash, fd, (uint64_t)file->size, work->sync->stop_fd);
    if (r == -EINTR) {
        return r;
    }
    if (r < 0 && r != -ENODATA) {
        report_failed_once(&work->sync->report, file->path, strerrordesc_np(-r));
        return HASH_E_UNREADABLE;
    }
    if (r < 0 || !is_unchanged(fd, file)) {
        return HASH_E_UNSETTLED;
    }
    content_hash_end(hash, ret_sha256);
    return 0;
}

/* A missing row of that content: the file was moved by copying it. */
static StateFile **missing_of(Reconcile *work, const uint8_t sha256[DIGEST_LEN]) {
    for (size_t i = 0; i < work->n_missing; i++) {
        StateFile *row = work->missing[i];
        if (row && row->hashed && !row->arriving && memcmp(row->sha256, sha256, DIGEST_LEN) == 0) {
            return &work->missing[i];
        }
    }
    return NULL;
}

static int note_content(Reconcile *work, const ScanFile *file, const StateFile *row,
                        const uint8_t sha256[DIGEST_LEN]) {
    StateFile **from = row ? NULL : missing_of(work, sha256);
    StateFile new = STATE_FILE_INIT;
    int r = 0;

    new.path = file->path;
    new.refused = file->size == 0 ? "it is empty" : "";
    new.move_due = sync_folder_of(file->path).len > 0 ? MOVE_THERE : MOVE_NONE;

    if (from) {
        return move(work, from, file);
    }
    if (row && row->hashed && memcmp(row->sha256, sha256, DIGEST_LEN) == 0) {
        new = *row; /* touched, or copied back: the same photo */
    } else if (row && row->photo[0]) {
        /* Another picture has taken its place: the library keeps the old one. */
        const StatePhoto old = {row->photo, FATE_UNKEPT,  row->name,
                                row->size,  row->version, row->albums};
        r = state_file_lose(&work->sync->state, row->path, &old);
    }
    new.size = file->size;
    new.mtime_ns = file->mtime_ns;
    new.ctime_ns = file->ctime_ns;
    new.inode = file->inode;
    new.hashed = true;
    new.arriving = false;
    memcpy(new.sha256, sha256, DIGEST_LEN);
    return r < 0 ? r : put_later(work, &new);
}

static int hash_fresh(Reconcile *work) {
    uint8_t sha256[DIGEST_LEN];
    int r = 0;

    report_due(&work->sync->report, "reading", work->n_fresh);
    for (size_t i = 0; i < work->n_fresh && r >= 0; i++) {
        const ScanFile *file = work->fresh[i];
        report_step(&work->sync->report);
        if (!file->settled) {
            continue;
        }
        r = hash_file(work, file, sha256);
        if (r == HASH_E_UNSETTLED) {
            ((ScanFile *)file)->settled = false; /* our own scan's */
            work->sync->scan.n_unsettled++;
        } else if (r == 0) {
            r = note_content(work, file, work->fresh_rows[i], sha256);
        }
    }
    return r < 0 ? r : flush(work);
}

/* Whether the missing file may be one that is just being copied elsewhere. */
static bool may_come_back(const Reconcile *work, const StateFile *row) {
    for (size_t i = 0; i < work->n_fresh; i++) {
        if (!work->fresh[i]->settled && work->fresh[i]->size == row->size) {
            return true;
        }
    }
    return false;
}

/* What becomes of the photo of a file that is gone. One whose folder is gone too comes back: that a
 * whole folder is missing is more often a mishap than a wish. */
static const char *fate_of(const Reconcile *work, const StateFile *row, bool at_server) {
    if (!sync_folder_has(&work->sync->folder, sync_folder_of(row->path))) {
        return FATE_WANTED;
    }
    return at_server ? FATE_DELETE : FATE_UNKEPT;
}

static int lose_missing(Reconcile *work) {
    SyncDir *sync = work->sync;
    size_t n_gone = 0;
    bool at_server;
    int r = 0;

    if (work->n_missing > 0 && watch_has_news(&sync->watch)) {
        sync->again = true; /* it is going on: what is gone as a whole is seen when it is over */
        return 0;
    }
    for (size_t i = 0; i < work->n_missing; i++) {
        n_gone += work->missing[i] && work->missing[i]->photo[0];
    }
    at_server = sync->delete_to_trash && !sync->pull_only;
    if (at_server && n_gone > GONE_AT_ONCE_MAX && n_gone > work->n_rows / 2) {
        report_note(&sync->report,
                    "%zu of %zu files are gone at once: they are not deleted in the library; if "
                    "that is meant, delete them there",
                    n_gone, work->n_rows);
        at_server = false;
    }
    for (size_t i = 0; i < work->n_missing && r == 0; i++) {
        const StateFile *row = work->missing[i];
        if (!row || may_come_back(work, row)) {
            continue;
        }
        if (!row->photo[0] || row->arriving || row->refused[0]) {
            r = state_file_remove(&sync->state, row->path);
            continue;
        }
        r = state_file_lose(&sync->state, row->path,
                            &(StatePhoto){row->photo, fate_of(work, row, at_server), row->name,
                                          row->size, row->version, row->albums});
    }
    return r;
}

int reconcile(SyncDir *sync) {
    Reconcile work = {.sync = sync};
    int r = state_files(&sync->state, sync->arena, &work.rows, &work.n_rows);

    if (r < 0) {
        return err_trace(r);
    }
    work.missing = arena_alloc(sync->arena, (work.n_rows + 1) * sizeof(StateFile *));
    work.fresh = arena_alloc(sync->arena, (sync->scan.n_files + 1) * sizeof(ScanFile *));
    work.fresh_rows = arena_alloc(sync->arena, (sync->scan.n_files + 1) * sizeof(StateFile *));
    r = compare_all(&work);
    if (r == 0) {
        r = flush(&work);
    }
    if (r == 0) {
        r = find_moved(&work);
    }
    if (r == 0) {
        r = hash_fresh(&work);
    }
    if (r == 0) {
        r = lose_missing(&work);
    }
    return err_trace(r);
}
