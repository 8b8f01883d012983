/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What kind of file a photo is, by its first bytes: names and media types from outside are not
 * believed. The one table of them; src/imaging/sniff.h asks it too. */

#include "base/str.h"

/*
 * First bytes that tell all kinds apart: 64 do, but for the raw kinds that are TIFF files (NEF,
 * ARW, DNG, PEF), which differ only in their first directory.
 */
#define PHOTO_TYPE_HEAD 4096

typedef enum PhotoType {
    PHOTO_TYPE_UNKNOWN,
    PHOTO_TYPE_JPEG,
    PHOTO_TYPE_PNG,
    PHOTO_TYPE_WEBP,
    PHOTO_TYPE_GIF,
    PHOTO_TYPE_TIFF,
    PHOTO_TYPE_BMP,
    PHOTO_TYPE_HEIC,
    PHOTO_TYPE_AVIF,
    PHOTO_TYPE_CR2, /* Canon */
    PHOTO_TYPE_CR3,
    PHOTO_TYPE_NEF, /* Nikon */
    PHOTO_TYPE_ARW, /* Sony */
    PHOTO_TYPE_DNG, /* Adobe, Apple ProRAW and many others */
    PHOTO_TYPE_RAF, /* Fujifilm */
    PHOTO_TYPE_ORF, /* Olympus */
    PHOTO_TYPE_RW2, /* Panasonic */
    PHOTO_TYPE_PEF, /* Pentax */
    PHOTO_TYPE_MP4, /* the moving part of a Live Photo or Motion Photo */
    PHOTO_TYPE_MOV,
    _PHOTO_TYPE_MAX,
} PhotoType;

typedef enum PhotoKind {
    PHOTO_KIND_OTHER,
    PHOTO_KIND_PICTURE, /* the renderer reads it */
    PHOTO_KIND_RAW,     /* kept, and the JPEG that its camera put into it is rendered */
    PHOTO_KIND_VIDEO,   /* kept, not rendered */
} PhotoKind;

typedef struct PhotoTypeInfo {
    const char *name;       /* "jpeg", "heic", "cr2" ...; "unknown" */
    const char *media_type; /* "image/jpeg" ...; "application/octet-stream" */
    const char *extension;  /* the usual one, without a dot: "jpg", "heic" ...; "bin" */
    PhotoKind kind;
} PhotoTypeInfo;

/*
 * The type of a file that begins with `head`: all of the file, or its first bytes; of a shorter
 * head a TIFF-based raw file may be told to be a TIFF. Reads nothing beyond head.len.
 */
PhotoType photo_type_sniff(Str head);

/* Lives for ever. */
const PhotoTypeInfo *photo_type_info(PhotoType type);
