/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The workers of a server, for whichever of its parts have pictures looked at. The model is for the
 * image part alone: without that there is no inference process, and nothing is cut out.
 */

#include "app/registry.h"

/*
 * Starts them, as --services and the settings of rendering say; does not wait until they are ready.
 * `parts` are those of registry_services(). *ret_renderer is NULL when no part has workers. 0, or a
 * negative with a whole sentence in *reterr_text, from the arena.
 */
int renderer_part_start(const Settings *settings, unsigned parts, Metrics *metrics, Arena *arena,
                        Renderer **ret_renderer, const char **reterr_text);
