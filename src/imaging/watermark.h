/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "imaging/picture.h"

/*
 * Draws grey diagonal stripes over the whole picture, the subject and what is transparent alike, so
 * that a trial result can be judged but not used. Their width follows the picture's size.
 */
void watermark_draw(Picture *picture);
