/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The service's contract for services in processes of their own (core/contracts/access_wire.h).
 * Nobody is answered without a service token, and without service keys nothing is there at all.
 */

#include "services/user/internal.h"

/* The routes below ACCESS_WIRE_PREFIX; none when options.service_verifier is NULL. */
HttpRouteGroup service_api_group(UserService *service);
