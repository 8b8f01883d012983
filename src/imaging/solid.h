/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/*
 * Makes opaque what lies well inside the subject. The networks are trained on masks of nothing but
 * 0 and 1, so a value between says how sure they are, not how transparent something is: a tongue
 * of 0.8 would let the new background shine through. A pixel is inside when it and all within
 * SOLID_RADIUS of it are rather subject than not; edges, being near to what is not, keep their
 * softness. `matte` is width x height bytes, changed in place. 0, or -ENOMEM.
 */
#define SOLID_RADIUS 8
int solid_raise(uint8_t *matte, uint32_t width, uint32_t height);
