/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The key by which parts in several processes know each other: core/identity/service_token.h. */

#include "app/settings.h"
#include "base/crypto/master_key.h"

/*
 * From the file that the settings name. One that is not there is made when `create`. 0, or -EINVAL
 * with a whole sentence in *reterr_text, from the arena.
 */
int service_key_open(const Settings *settings, bool create, Arena *arena, MasterKeys **ret_keys,
                     const char **reterr_text);
