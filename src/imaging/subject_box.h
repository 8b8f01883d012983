/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/model/measure.h"
#include "imaging/picture.h"

/*
 * The box around the subject, by alpha. Specks that are apart from it and have less than a
 * hundredth of its mass do not count. `picture` has an alpha. 0, RENDER_NO_FOREGROUND when nothing
 * is visible, or -ENOMEM.
 */
int subject_box_find(const Picture *picture, Rect *ret_box);
