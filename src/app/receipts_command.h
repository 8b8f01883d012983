/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "app/cli.h"

/* `imagesync receipts verify FILE`: whether an erasure's receipt was signed here. */
int receipts_verify_command(const CliCall *call);
