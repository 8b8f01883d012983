/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/ports/db.h"

/* Part of event_log_check(). */
int event_log_trim_check(Db *db, const char **reterr_name);
