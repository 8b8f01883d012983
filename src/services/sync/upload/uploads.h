/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The routes of uploads. Handlers; their context is the SyncService. */

#include "base/http/stream.h"

HttpHandler uploads_options_handle;
HttpHandler uploads_check_handle;
HttpHandler upload_head_handle;
HttpHandler upload_delete_handle;
extern const HttpBodyStream tus_create_body;  /* POST /v1/uploads */
extern const HttpBodyStream form_upload_body; /* POST /v1/photos */
