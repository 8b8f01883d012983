/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Tells a file's format by its first bytes; names and media types from outside are not believed. */

#include "base/str.h"
#include "core/model/image_info.h"

/*
 * 0, or -EINVAL when the bytes are of none of the accepted formats: a raw file that is a TIFF too
 * is not, since all that libvips would show of it is its small preview.
 */
int image_sniff(Str bytes, ImageFormat *ret_format);
