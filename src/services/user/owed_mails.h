/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Mails that must not be lost: owed since the transaction of what they tell of, and handed over by
 * a chore that goes on trying for days (owed_mail_store.h). One may come twice, when a server dies
 * just after it was handed over.
 */

#include "services/user/housekeeping.h"

#define OWED_MAILS_CHORE "mails"

/* The chore. Have it done at once with housekeeping_wake() after owed_mail_store_add(). */
HousekeepingWork owed_mails_run;
