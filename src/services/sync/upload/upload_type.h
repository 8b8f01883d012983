/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a file is by its first bytes (UPLOAD_HEAD_LEN of them, or all of a shorter one): the media
 * type of a picture or film that a library takes, static; NULL of all else. */

#include "base/str.h"

const char *upload_media_type(Str head);
