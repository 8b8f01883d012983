/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Moves the event log to Kafka in the background, when the settings say so. */

#include "app/settings.h"
#include "base/metrics.h"
#include "core/ports/db.h"

typedef struct RelayPart RelayPart;

/* Starts it. 0, with NULL when nothing is to be moved; or a negative with a whole sentence. All
 * that it is given outlives it. */
int relay_part_start(const Settings *settings, Db *db, Metrics *metrics, Arena *arena,
                     RelayPart **ret_part, const char **reterr_text);

/* Moves nothing more, and leaves the rest to other processes or the next start. Waits for what is
 * on its way. Accepts NULL. */
RelayPart *relay_part_free(RelayPart *part);
DEFINE_CLEANUP(RelayPart *, relay_part_free)
