/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the places share that show the picture somebody has of themselves. */

#include "services/user/call.h"

/* Whether the client has that version already: If-None-Match (RFC 9110 13.1.2). */
bool avatar_is_known(UserCall *call, int64_t version);
