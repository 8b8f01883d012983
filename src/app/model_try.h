/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whether a model really works: it is run on a small picture, in the processes of a renderer. */

#include "app/settings.h"

/*
 * Runs the model of that name in `models_dir`, whatever it finds in the picture. 0 with the
 * milliseconds that the run took; -EINTR when Ctrl-C or SIGTERM came first (the caller has them
 * blocked); or a fault with a sentence in *reterr_text.
 */
int model_try(const Settings *settings, const char *models_dir, const char *name, Arena *arena,
              double *ret_ms, const char **reterr_text);

/* Blocks what model_try() looks for. */
void model_try_block_signals(void);
