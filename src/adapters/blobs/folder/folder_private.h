/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "adapters/blobs/folder/folder.h"

typedef struct BlobsFolder {
    Blobs base; /* first */
    int root;
} BlobsFolder;

#define FOLDER_PATH_MAX (BLOB_NAME_LEN_MAX + 8)

/* "blobs/NAME" or "stages/NAME"; -EINVAL: no name. */
int folder_path(BlobArea area, Str name, char ret_path[FOLDER_PATH_MAX]);

/* Makes the folders above `path`, with `durably` each durable in the one above it. */
int folder_make_parents(int root, const char *path, bool durably);
/* Syncs the folder that `path` is in; all that are above it, but for the root itself. */
int folder_sync_parent(int root, const char *path);
int folder_sync_parents(int root, const char *path);

/*
 * Removes a file that may not be there, and the folders above it that are empty then. Not synced:
 * what comes back after a crash is collected as an orphan.
 */
int folder_unlink(int root, const char *path);

/* Another call may remove an empty folder between its making and its use: try so often. */
#define FOLDER_TRIES 10

/* -ENOMEDIUM when the marker is not there. */
int folder_check(const BlobsFolder *self);

/* A synced file becomes the blob of that name. BLOBS_E_EXISTS; `from` is gone unless it failed. */
int folder_publish(const BlobsFolder *self, const char *from, Str name);

int folder_list(Blobs *blobs, BlobArea area, Str after, size_t max, Arena *arena,
                BlobEntry **ret_entries, size_t *ret_n);

int folder_stage_open(Blobs *blobs, Str name, uint64_t offset, BlobStage **ret_stage);
int folder_stage_write(BlobStage *stage, Str bytes);
int folder_stage_sync(BlobStage *stage);
int folder_stage_commit(BlobStage *stage);
BlobStage *folder_stage_free(BlobStage *stage);
int folder_stage_remove(Blobs *blobs, Str name);
