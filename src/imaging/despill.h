/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Green and blue screens, whose light falls on the subject too. */

#include "imaging/picture.h"

typedef enum Screen {
    SCREEN_NONE,
    SCREEN_GREEN,
    SCREEN_BLUE,
} Screen;

/* Whether a mean background colour is that of a screen. */
Screen despill_screen(const uint8_t *backdrop);
/* Takes the screen's light off the subject: no more green (blue) than red and blue (green) have. */
void despill_apply(Picture *picture, Screen screen);
