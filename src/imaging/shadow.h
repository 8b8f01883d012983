/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "imaging/picture.h"
#include "imaging/soft.h"

/*
 * A soft shadow that lies a little below the subject: its alpha, shrunk, moved down, blurred and
 * weakened to `opacity` (0..1); 0..255 in the fourth number of each pixel, stretched over the whole
 * canvas. 0, or -ENOMEM.
 */
int shadow_make(const Picture *canvas, const Rect *box, double opacity, Soft *ret_shadow);
