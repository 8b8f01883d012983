/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files that are two halves of one photo: a picture and its film (Live Photo), or a raw file and
 * its JPEG. Cameras give them one name with two extensions, in one folder.
 */

#include "app/sync_dir/scan.h"

/* Of the other half of a file that was scanned; NULL: it has none. */
const ScanFile *pair_find(const Scan *scan, Str path);

/* Whether two paths are the halves of one photo, by their names. */
bool pair_is_one(Str a, Str b);

/* Without the extension, which is what both halves have in common. */
Str pair_stem(Str path);
