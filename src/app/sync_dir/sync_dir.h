/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A folder in sync with a library: what its parts share.
 *
 * - engine: rounds of what is here (scan, reconcile), then up (push, upload, push_folders), then
 *   down (pull, list_anew, apply, arrange, download; or look_back)
 * - listen: a thread that rings when the server has news
 * - crew: several uploads or downloads at once
 *
 * Nothing is deleted at the server because a file is gone here, unless --delete-to-trash says so,
 * and no file is unlinked here. Whatever is ended at any point goes on from state_store.h.
 */

#include "app/sync_dir/report.h"
#include "app/sync_dir/scan.h"
#include "app/sync_dir/state_store.h"
#include "app/sync_dir/sync_folder.h"
#include "app/sync_dir/sync_link.h"

#include <stdatomic.h>

typedef struct SyncDir {
    SyncFolder folder;
    State state;
    SyncLinkServer server;
    Report report;
    Watch watch;
    Arena *arena; /* of the round: scan and rows */
    Scan scan;
    bool once, pull_only, push_only, delete_to_trash;
    uint32_t settle_s;
    int stop_fd;
    bool account_known;
    atomic_bool again; /* something changed while it was worked on: another round sees to it */
    bool arranged;     /* nothing came since arrange() saw to all files */
    bool unlisted;     /* in this round: files here of which the server listed no photo */
    atomic_ullong piece_max;    /* what a request may carry; 0: nothing was refused yet */
    size_t turn;                /* where the next crew begins, so that nobody is always last */
    pthread_mutex_t place_lock; /* while a download gets its name */
} SyncDir;

/* What a round or a part of it can come to besides SyncLinkServer's conditions and -EINTR. */
enum {
    SYNC_DIR_E_ACCOUNT = 10, /* the folder is another account's */
    SYNC_DIR_E_OWN,          /* this one piece of work was for nothing; others go on */
};

/* One piece of work on one of several threads. 0; SYNC_DIR_E_OWN; SYNC_LINK_E_*; -EINTR; or a
 * fault. */
typedef int CrewWork(SyncDir *sync, SyncLink *link, void *item);

/*
 * Does all of them, a few at once. What fails with SYNC_LINK_E_AWAY is left for later, and so is
 * the rest when many do; other conditions and faults end it. 0 when all was done, else the gravest
 * result; *ret_error is what link->error said, in sync->arena.
 */
int crew_run(SyncDir *sync, CrewWork *work, void *items, size_t item_size, size_t n,
             const char **ret_error);

/* Compares what was scanned with what is known; hashes what is new. 0 or a fault. */
int reconcile(SyncDir *sync);

/* Up: 0, SYNC_LINK_E_*, -EINTR or a fault. */
int push(SyncDir *sync, SyncLink *link);
/* Up: the albums of files that are in other folders than before. The same. */
int push_folders(SyncDir *sync, SyncLink *link);
/* Down: changes first, then the photos that are wanted. The same. */
int pull(SyncDir *sync, SyncLink *link);
/* Instead of pull() when nothing is to come down: whether the server was restored from a backup,
 * so that it has to be sent again what it lost. The same. */
int look_back(SyncDir *sync, SyncLink *link);

/*
 * Does what objects of the library say (a page of changes; `anew`: of the list of all). What is to
 * be downloaded is noted. 0 or a fault.
 */
int apply_objects(SyncDir *sync, SyncLink *link, const json_t *objects, bool anew);
/* Moves files whose photos have come into other albums into the folders that these are. 0 or a
 * fault. */
int arrange(SyncDir *sync);
/* Whether another file of the same photo lies in that folder. 0 or a fault. */
int photo_is_in(SyncDir *sync, const StateFile *file, Str folder, Arena *arena, bool *ret_is);

typedef struct UploadTask {
    StateFile file;
} UploadTask;
int upload_file(SyncDir *sync, SyncLink *link, void *task); /* a CrewWork */

typedef struct DownloadTask {
    StatePhoto photo;
    Str folder; /* where it is to lie */
} DownloadTask;
int download_photo(SyncDir *sync, SyncLink *link, void *task); /* a CrewWork */

/*
 * Asks whether the library has these contents, at most CHECK_MAX at once. The answer has a "files"
 * member as long as that. 0, SYNC_DIR_E_OWN, SYNC_LINK_E_*, -EINTR.
 */
#define CHECK_MAX 500
int check_contents(SyncLink *link, const StateFile *files, size_t n, json_t **ret_answers);

/* Rounds until it is stopped, or with `once` until nothing is left to do. An ExitStatus. */
int engine_run(SyncDir *sync);
