/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whose folder it is: files of one account never reach another's library. */

#include "app/sync_dir/sync_dir.h"

/* Asks the server who we are; notes it in a folder that is new. 0; SYNC_DIR_E_ACCOUNT with
 * link->error: it is another's; SYNC_LINK_E_*; -EINTR; or a fault. */
int account_check(SyncDir *sync, SyncLink *link);
