/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A ZIP archive (APPNOTE.TXT 6.3.10) that is handed on while it is written, so that its length is
 * no matter of memory: what is kept meanwhile is the directory, some 250 bytes a file. ZIP64 where
 * a size, a place or their number needs it. Not thread-safe.
 */

#include "base/str.h"

#include <stdint.h>

typedef struct ZipWriter ZipWriter;

/* Takes the next piece. What it returns other than 0 is what the call returns that led to it, and
 * all that follow. */
typedef int ZipSink(Str piece, void *userdata);

typedef struct ZipOptions {
    /* NULL: what is written is kept until zip_writer_take() has it. */
    ZipSink *sink;
    void *userdata;
    size_t piece_len; /* of all that the sink gets but the last, which is shorter; 0: as it comes */
    /* Sizes that are not known before would make it ZIP64, which some programs do not read: not so
     * here, as all of it is below 4 GiB. */
    bool small;
    /* Of two files with one name, whatever the case of its letters, the second is called
     * "name (2).jpg". */
    bool distinct;
} ZipOptions;

#define ZIP_SIZE_UNKNOWN UINT64_MAX

typedef struct ZipFile {
    const char *name; /* UTF-8, with slashes */
    int64_t at_s;     /* its date, in seconds since 1970 */
    uint64_t size;    /* of all that is added to it, or ZIP_SIZE_UNKNOWN */
    bool stored;      /* as it is, and not compressed */
} ZipFile;

ZipWriter *zip_writer_new(const ZipOptions *options);
/* Accepts NULL; hands nothing on any more. */
ZipWriter *zip_writer_free(ZipWriter *writer);
DEFINE_CLEANUP(ZipWriter *, zip_writer_free)

/* Each: 0, what the sink returned, or -EIO. A file ends where the next begins. */
int zip_writer_begin(ZipWriter *writer, const ZipFile *file);
int zip_writer_add(ZipWriter *writer, Str bytes);
/* Once, after the last. */
int zip_writer_end(ZipWriter *writer);

/* Without a sink: moves at most `max` of the bytes that were written to `bytes`, and says how many.
 */
size_t zip_writer_take(ZipWriter *writer, void *bytes, size_t max);
