/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* `imagesync keys list`, `keys rotate`, `keys rotate-signing` and `keys retire`. */

#include "app/cli.h"

int keys_list_command(const CliCall *call);
int keys_rotate_command(const CliCall *call);
int keys_rotate_signing_command(const CliCall *call);
int keys_retire_command(const CliCall *call);
