/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/arena.h"

/* kafka://HOST:PORT[,HOST:PORT...]/PREFIX in its two parts, in the arena. 0; or -EINVAL with a
 * static sentence. */
int kafka_address_parse(const char *url, Arena *arena, const char **ret_servers,
                        const char **ret_prefix, const char **reterr_text);
