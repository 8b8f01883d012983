/* SPDX-License-Identifier: Apache-2.0 */

/* What is done in the background: the one list. */

#include "services/user/housekeeping.h"
#include "services/user/owed_mails.h"
#include "services/user/privacy/audit_retention.h"
#include "services/user/privacy/erasure.h"
#include "services/user/privacy/export.h"

const HousekeepingChore housekeeping_chores[] = {
    {AUDIT_RETENTION_CHORE, 86400, audit_retention_run},
    {EXPORT_CHORE, 60, exports_work, .at_start = true},
    {ERASURE_CHORE, 600, erasure_run},
    {OWED_MAILS_CHORE, 300, owed_mails_run, .at_start = true},
    {0},
};
