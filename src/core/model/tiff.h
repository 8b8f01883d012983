/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Directories of tags, as TIFF has them (TIFF 6.0, section 2), EXIF (CIPA DC-008) and the raw files
 * of most cameras. Untrusted to the last bit: whatever an entry says lies within the bytes, or the
 * entry is not there. Pure; nothing is allocated.
 */

#include "base/str.h"

#include <stdint.h>

#define TIFF_ENTRIES_MAX 512 /* of a directory that are looked at */

typedef enum TiffType {
    TIFF_BYTE = 1,
    TIFF_ASCII,
    TIFF_SHORT,
    TIFF_LONG,
    TIFF_RATIONAL,
    TIFF_SBYTE,
    TIFF_UNDEFINED,
    TIFF_SSHORT,
    TIFF_SLONG,
    TIFF_SRATIONAL,
    TIFF_FLOAT,
    TIFF_DOUBLE,
    TIFF_IFD,
    _TIFF_TYPE_MAX,
} TiffType;

/* One directory, in the bytes that its offsets count in. */
typedef struct TiffDirectory {
    Str bytes;
    bool big;    /* the highest byte of a number comes first */
    uint32_t at; /* 0: there is none, and nothing is found in it */
} TiffDirectory;

typedef struct TiffEntry {
    uint16_t type; /* TiffType */
    bool big;
    uint32_t count; /* of values of that type: so many are in `value` */
    Str value;      /* in the directory's bytes */
} TiffEntry;

/*
 * The first directory of bytes that begin with a header: "II" or "MM", 42 or what cameras write
 * instead, an offset. Of those with 64-bit offsets (BigTIFF) nothing is read. False: there is no
 * header.
 */
bool tiff_open(Str bytes, TiffDirectory *ret_first);

/* Another one of the same bytes. */
TiffDirectory tiff_directory(const TiffDirectory *other, uint32_t at);

/* The one that follows it; none after the last. */
TiffDirectory tiff_following(const TiffDirectory *directory);

/* The first entry with this tag whose value is whole. */
bool tiff_find(const TiffDirectory *directory, unsigned tag, TiffEntry *ret_entry);

/* The value at `index` of a BYTE, SHORT, LONG or IFD; false: there is none. */
bool tiff_number(const TiffEntry *entry, uint32_t index, uint32_t *ret_number);

/* The same of the entry with this tag, at index 0; 0 when there is none. */
uint32_t tiff_find_number(const TiffDirectory *directory, unsigned tag);

/* The value at `index` of a RATIONAL or SRATIONAL; false: there is none, or it divides by zero. */
bool tiff_fraction(const TiffEntry *entry, uint32_t index, double *ret_value);

/* The bytes of an ASCII up to the first NUL; none of another type. */
Str tiff_text(const TiffEntry *entry);
