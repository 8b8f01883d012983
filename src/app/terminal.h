/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Text with names from outside in it, for a terminal. */

#include "base/str.h"

#include <stdio.h>

/* Prints the text with '?' for control characters (C0, DEL and C1), which may move the cursor. */
void terminal_print(FILE *out, const char *text);
/* The same for what the format makes. */
void terminal_printfv(FILE *out, const char *format, va_list args) printf_like(2, 0);
