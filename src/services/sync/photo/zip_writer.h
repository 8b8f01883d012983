/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A ZIP archive (APPNOTE.TXT 6.3.10) that is written as it goes: files stored as they are, ZIP64
 * where a size, a place or their number needs it, the directory at the end. What is kept meanwhile
 * is the directory and the names: some 250 bytes a file.
 */

#include "base/str.h"

/* Takes what was written; all of it. */
typedef void ZipSink(void *userdata, const void *bytes, size_t len);

typedef struct ZipWriter ZipWriter;
ZipWriter *zip_writer_new(ZipSink *sink, void *userdata);
/* Accepts NULL; nothing more is written. */
ZipWriter *zip_writer_free(ZipWriter *writer);

/*
 * The next file, of `size` bytes, which follow by zip_writer_add(). Of two with one name, whatever
 * the case of its letters, the second is called "name (2).jpg". `changed_s` is a local time, in
 * seconds since 1970 as if it were UTC. 0 or a fault.
 */
int zip_writer_begin(ZipWriter *writer, const char *name, uint64_t size, int64_t changed_s);
/* No more than were announced. 0 or a fault. */
int zip_writer_add(ZipWriter *writer, const void *bytes, size_t len);
/* The directory. 0 or a fault. */
int zip_writer_end(ZipWriter *writer);
