/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The one list of services and adapters: what the settings choose is built here. */

#include "adapters/renderer/pool.h"
#include "app/settings.h"
#include "core/ports/db.h"

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
 * Opens the database that the settings name by its URL. 0; -ENOENT when it `must_exist` and does
 * not; or a fault, both with a sentence.
 */
int registry_open_database(const Settings *settings, bool must_exist, Arena *arena, Db **ret_db,
                           const char **reterr_text);

/*
 * Brings the tables up to date, or only looks whether they are, as migrate-on-start says; counts
 * what was applied. 0, or -EINVAL or a fault with a sentence that says what to do.
 */
int registry_prepare_database(const Settings *settings, Db *db, Arena *arena, size_t *ret_n_applied,
                              const char **reterr_text);

/* What the settings say of the renderer; strings are the settings'. */
PoolOptions registry_pool_options(const Settings *settings);
