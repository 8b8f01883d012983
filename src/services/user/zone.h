/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/*
 * Whether it is the name of a time zone such as "Europe/Zurich" that this machine's tz database
 * has (RFC 6557; in /usr/share/zoneinfo), or "". Where there is no such database, the form of the
 * name has to do. Thread-safe.
 */
bool zone_is_known(const char *name);
