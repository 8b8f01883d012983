/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "app/cli.h"

/* `imagesync cutout`; see its entry in commands.c. */
int cutout_command(const CliCall *call);
