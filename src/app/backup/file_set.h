/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The sealed files of a backup: a store of blobs, and the list of what should be in it, one line a
 * file: its SHA-256, its length and its name.
 */

#include "base/crypto/digest.h"
#include "core/ports/blobs.h"

typedef struct FileEntry {
    char name[BLOB_NAME_LEN_MAX + 1];
    uint64_t size;
    uint8_t sha256[DIGEST_LEN];
} FileEntry;

typedef struct FileSet {
    FileEntry *entries;
    size_t n, capacity, n_sorted; /* of the first n_sorted the names are in order */
    uint64_t bytes;
} FileSet;

void file_set_done(FileSet *set);
void file_set_add(FileSet *set, const FileEntry *entry);
/* Among the sorted ones; NULL: none of that name. */
const FileEntry *file_set_find(const FileSet *set, const char *name);
void file_set_sort(FileSet *set);

/* As text, and back: 0, or -EBADMSG. */
void file_set_write(const FileSet *set, Buf *out);
int file_set_read(Str text, FileSet *set);

enum {
    FILE_COPY_E_NONE = 1, /* there is no such blob */
    FILE_COPY_E_OTHER,    /* it, or the copy that is there already, is another than it should be */
};

/*
 * Copies a blob from one store to another, unless it is there, and fills the entry's size and hash.
 * `known` (NULL: nothing is known) says what it should be: a copy that is there then is taken for
 * good when `trust`, and read otherwise. 0, a condition, or a fault.
 */
int file_copy(Blobs *from, Blobs *to, const FileEntry *known, bool trust, FileEntry *entry);

/* The SHA-256 of a file, and its length. 0 or a fault. */
int file_digest(const char *path, uint64_t *ret_size, uint8_t ret_sha256[DIGEST_LEN]);
