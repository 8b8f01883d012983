/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* cmocka and what it wants included before it; for *_test.c files only. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
