/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/model/measure.h"
#include "imaging/picture.h"

/*
 * The picture's region stretched to width x height x 3 bytes, as the model wants it: Lanczos with
 * three lobes, like the scripts that the models were trained and published with. On white where
 * the picture is transparent. 0, or a fault.
 */
int model_input_fill(const Picture *picture, const Rect *region, uint32_t width, uint32_t height,
                     uint8_t *ret_rgb);
