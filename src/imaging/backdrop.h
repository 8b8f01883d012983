/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "imaging/cutout.h"
#include "imaging/soft.h"

/*
 * The photo's own background, blurred: only what is surely background counts, so that nothing of
 * the subject bleeds out around it. `sigma` is a share of the longer side. Needs the picture
 * before cutout_apply(). The soft picture lies stretched over the picture. 0, or -ENOMEM.
 */
int backdrop_blur(const Picture *picture, const Cutout *cutout, const Rect *region, double sigma,
                  Soft *ret_soft);
