/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "app/cli.h"

/* `imagesync config` */
int config_command(const CliCall *call);
