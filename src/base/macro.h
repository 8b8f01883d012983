/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Small macros that every file may use. */

#include <stddef.h>
#include <stdlib.h>

#define ARRAY_LEN(a)     (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)        ((a) < (b) ? (a) : (b))
#define MAX(a, b)        ((a) > (b) ? (a) : (b))
#define CLAMP(v, lo, hi) ((v) < (lo) ? (lo) : (v) > (hi) ? (hi) : (v))

/* Runs f(&variable) when the variable goes out of scope. */
#define _cleanup_(f) __attribute__((cleanup(f)))

/* Hands the pointer over and leaves NULL behind, so that cleanup does nothing. */
#define TAKE_PTR(p)                                                                                \
    ({                                                                                             \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

#define printf_like(format_at, first) __attribute__((__format__(__printf__, format_at, first)))

/* Defines `name`p, the cleanup function of a pointer that `name` frees (and that accepts NULL). */
/* NOLINTBEGIN(bugprone-macro-parentheses): a type in parentheses declares nothing. */
#define DEFINE_CLEANUP(type, name)                                                                 \
    static inline void name##p(type *pointer) {                                                    \
        if (*pointer) {                                                                            \
            name(*pointer);                                                                        \
        }                                                                                          \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

static inline void freep(void *pointer) {
    free(*(void **)pointer);
}
