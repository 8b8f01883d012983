/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/*
 * Makes opaque what the outline encloses: windows, glass, holes. Whatever cannot be reached from
 * the border of the picture through background becomes subject, except the soft outer edge itself.
 * `matte` is width x height bytes, changed in place. 0, or -ENOMEM.
 */
int inside_fill(uint8_t *matte, uint32_t width, uint32_t height);
