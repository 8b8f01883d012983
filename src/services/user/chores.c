/* SPDX-License-Identifier: Apache-2.0 */

/* What is done in the background: the one list. */

#include "services/user/housekeeping.h"

const HousekeepingChore housekeeping_chores[] = {
    {0},
};
