/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A walk through the folder: its regular files, without what is hidden, unfinished or linked. */

#include "app/sync_dir/report.h"
#include "app/sync_dir/sync_folder.h"
#include "app/sync_dir/watch.h"

#define SCAN_FILES_MAX ((size_t)4 << 20)
#define SCAN_DEPTH_MAX 64

typedef struct ScanFile {
    Str path;
    int64_t size, mtime_ns, ctime_ns, inode;
    bool settled; /* nothing was done to it for as long as was asked for */
} ScanFile;

typedef struct Scan {
    ScanFile *files; /* ordered by path, as bytes */
    size_t n_files, n_unsettled;
    Str *unknown; /* folders that could not be read: what is in them is not known to be gone */
    size_t n_unknown;
    Arena *arena;
} Scan;

/*
 * Fills *ret_scan, whose strings are in the arena and whose arrays scan_done() frees. Folders are
 * watched from before they are read. `watch` may be NULL. 0; -E2BIG: too many files; or a fault:
 * the folder itself cannot be read.
 */
int scan_run(const SyncFolder *folder, uint32_t settle_s, Watch *watch, Report *report,
             Arena *arena, Scan *ret_scan);
void scan_done(Scan *scan);

/* Whether the path is in a folder that could not be read. */
bool scan_is_unknown(const Scan *scan, Str path);

/* Paths in the order of bytes: < 0, 0, > 0. */
int scan_compare(Str a, Str b);
