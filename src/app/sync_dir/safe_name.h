/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Names of files: which of them are taken for photos, and what a server's become here. */

#include "base/str.h"

#define SAFE_NAME_SIZE 256 /* NAME_MAX with the NUL */

/* Whether a file of that name is left alone: hidden, or a name that programs give to what they have
 * not finished (.part, .crdownload, .tmp, ~). */
bool safe_name_is_passed_over(const char *name);

/*
 * A name for a file in a folder from whatever the server says: one component, no control
 * characters, nothing that is passed over, at most 255 bytes, cut before its extension and not
 * within a character. `number` 1: as it is; from 2 on "name (2).jpg".
 */
void safe_name_local(const char *name, unsigned number, char ret_name[SAFE_NAME_SIZE]);

/*
 * The folder that an album of that name is here, as a path below DIR: each part between slashes as
 * safe_name_local() makes it. "": the name leads to none, or too deep, and DIR itself is taken.
 */
void safe_name_folder(const char *name, Buf *out);

/* What the server is told: UTF-8 without control characters, whatever bytes the name has. */
void safe_name_sent(Str name, Buf *out);
