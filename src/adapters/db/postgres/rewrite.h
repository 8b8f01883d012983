/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/str.h"

/*
 * Appends `sql` to `out` with its parameters `?` numbered as PostgreSQL wants them ($1, $2, ...),
 * except in strings ('...', E'...', $tag$...$tag$), quoted identifiers and comments, and their
 * number in *ret_n. Lexical rules: PostgreSQL 15 manual, section 4.1. 0, or -EINVAL when a quote or
 * a comment does not end, or when there are more than DB_PARAMS_MAX.
 */
int postgres_rewrite(const char *sql, Buf *out, unsigned *ret_n);
