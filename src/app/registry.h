/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The one list of services and adapters: what the settings choose is built here. */

#include "adapters/renderer/pool.h"
#include "app/settings.h"
#include "core/ports/cache.h"
#include "core/ports/mail.h"

/*
 * Looks whether the default model can be had at all, before a process is started for it. 0; or
 * -ENOENT or -EINVAL with a sentence that says what to do in *reterr_text.
 */
int registry_check_model(const Settings *settings, Arena *arena, const char **reterr_text);

/*
 * Whether the parts that --services names are all there and can run together. 0, or -EINVAL with
 * a sentence.
 */
int registry_check_services(const Settings *settings, Arena *arena, const char **reterr_text);

/*
 * Opens what sends mail. -EINVAL with a sentence that names the setting, also when the folder
 * cannot be had; a mail server is not asked yet.
 */
int registry_open_mailer(const Settings *settings, Arena *arena, Mailer **ret_mailer,
                         const char **reterr_text);

/* What the settings say of the renderer; strings are the settings'. */
PoolOptions registry_pool_options(const Settings *settings);

/*
 * The cache that the settings choose, with its metrics. A Redis that cannot be reached is no fault:
 * the cache finds it later. 0; -EINVAL with a sentence (without secrets); or -ENOMEM, -EAGAIN.
 */
int registry_open_cache(const Settings *settings, Metrics *metrics, Cache **ret_cache,
                        const char **reterr_text);
