/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Multi-level foreground estimation (T. Germer, T. Uelwer, S. Conrad, S. Harmeling: "Fast
 * Multi-Level Foreground Estimation", ICPR 2020, arXiv:2006.14970): splits each mixed pixel
 * I = alpha F + (1 - alpha) B into its two colours, from a coarse level to fine ones, so that a
 * subject cut from one background shows none of it on another.
 */

#include <stddef.h>
#include <stdint.h>

/* Bytes a pixel of the result: F as r g b 0, then B as r g b 0. */
#define FOREGROUND_LAYERS 8

/*
 * `rgba` is width x height x 4 bytes, colour and alpha; ret_layers width x height x
 * FOREGROUND_LAYERS. Where alpha is 255 F is the colour itself, where it is 0 B is. 0, or -ENOMEM.
 */
int foreground_estimate(const uint8_t *rgba, uint32_t width, uint32_t height, uint8_t *ret_layers);

/* Halves a grid: colours and alpha averaged over 2 x 2. `ret_rgba` has (w+1)/2 x (h+1)/2 x 4. */
void foreground_halve(const uint8_t *rgba, uint32_t width, uint32_t height, uint8_t *ret_rgba);
