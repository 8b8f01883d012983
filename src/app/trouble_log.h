/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/ports/trouble.h"

/* Logs it: a warning with what to do, and that it is over. Thread-safe. */
void trouble_log(const char *server, const char *reason);
