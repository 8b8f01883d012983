/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A library as files, for the copy of one's data: next() and read() of
 * core/contracts/library_service.h, asked of the SyncLibraryService that `self` is. */

#include "core/contracts/library_service.h"
#include "services/sync/internal.h"

int copy_files_next(LibraryService *self, const Uuid *user_id, const char *at, Arena *arena,
                    LibraryFile *ret_file);
int copy_files_read(LibraryService *self, const Uuid *user_id, const char *at, uint64_t offset,
                    void *ret_bytes, size_t len);
