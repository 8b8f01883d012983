/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A ZIP archive (APPNOTE.TXT 6.3.10) that is handed on in pieces while it is written, so that its
 * length is no matter of memory. Not thread-safe.
 */

#include "base/str.h"

#define EXPORT_PIECE_LEN ((size_t)255 << 10) /* sealed it stays below 256 KiB */

typedef struct ExportArchive ExportArchive;

/* Takes the next piece: EXPORT_PIECE_LEN bytes, the last one fewer. What it returns other than 0 is
 * what the call returns that led to it, and all that follow. */
typedef int ExportSink(Str piece, void *userdata);

/* `at_us` is the date of all files in it. */
ExportArchive *export_archive_new(ExportSink *sink, void *userdata, int64_t at_us);
/* Accepts NULL; hands nothing on any more. */
ExportArchive *export_archive_free(ExportArchive *archive);
DEFINE_CLEANUP(ExportArchive *, export_archive_free)

/* Each: 0, what the sink returned, or -EIO. `name` is ASCII; a file ends where the next begins. */
int export_archive_begin(ExportArchive *archive, const char *name);
int export_archive_add(ExportArchive *archive, Str bytes);
/* Once, after the last. */
int export_archive_end(ExportArchive *archive);
