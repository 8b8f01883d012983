/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "services/user/call.h"

/*
 * The request's body, a picture from anybody, as one of ours: its middle square, upright, 512
 * pixels a side, WebP without metadata; in the arena, at most AVATAR_LEN_MAX bytes. It is read by a
 * sandboxed worker alone, which the caller waits for; few at a time, the others are told
 * USER_FAILURE_UNAVAILABLE. Or what is wrong with it.
 */
UserFailure avatar_render(UserCall *call, Str *ret_image);
