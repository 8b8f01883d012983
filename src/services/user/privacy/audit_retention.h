/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "services/user/housekeeping.h"

/* The chore: cuts off what audit trails have kept for longer than audit-keep-days. A trail that
 * does not hold is left as it is, for `imagesync audit verify` to find. */
#define AUDIT_RETENTION_CHORE "audit-retention"
HousekeepingWork audit_retention_run;
