/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* core/contracts/library_service.h: what the user service may ask, in this process or from another.
 */

#include "services/sync/internal.h"

/* Fills the service's own. */
void sync_library_service_init(SyncService *service);

/* POST of LIBRARY_SERVICE_NEXT, LIBRARY_SERVICE_READ and LIBRARY_SERVICE_ERASE, for the user
 * service in another process alone. */
HttpHandler library_service_next_handle, library_service_read_handle, library_service_erase_handle;
