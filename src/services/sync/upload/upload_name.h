/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A file's name as it may be shown and written to a disk: the last part of what a device sent,
 * without control characters and those that turn the direction of text, in UTF-8, at most
 * UPLOAD_NAME_MAX bytes, cut before its extension when there is one. Never empty, "." or "..". In
 * the arena.
 */

#include "base/arena.h"

#define UPLOAD_NAME_MAX 255

const char *upload_name_clean(Str raw, Arena *arena);
