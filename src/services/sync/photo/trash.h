/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What lies in the trash for longer than the setting trash-days is removed for good: by a thread of
 * one of the processes that share the database, whichever has the lease. Two that do it at once
 * harm nobody: each photo is looked at again in the transaction that removes it.
 */

#include "services/sync/internal.h"

typedef struct Trash Trash;

int trash_start(SyncService *service, Trash **ret_trash);
/* Accepts NULL, returns NULL. */
Trash *trash_stop(Trash *trash);
