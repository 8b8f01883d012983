/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* PATCH /v1/uploads/{id}, and POST there with X-HTTP-Method-Override. Context: the SyncService. */

#include "base/http/stream.h"

extern const HttpBodyStream tus_patch_body;
extern const HttpBodyStream tus_override_body;
