/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "app/cli.h"

/* `imagesync serve` */
int serve_command(const CliCall *call);
