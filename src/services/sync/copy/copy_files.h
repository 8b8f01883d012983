/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A library as files, for the copy of one's data: core/contracts/library_copy.h. */

#include "core/contracts/library_copy.h"
#include "services/sync/internal.h"

/* Fills the service's own. */
void copy_files_init(SyncService *service);

/* POST of LIBRARY_COPY_NEXT and LIBRARY_COPY_READ, for the user service in another process alone.
 */
HttpHandler copy_next_handle, copy_read_handle;
