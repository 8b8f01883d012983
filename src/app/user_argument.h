/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Somebody who is named on the command line, by id or by address. */

#include "app/cli.h"
#include "app/key_access.h"

/* EXIT_OK, or the status after it has said why not; `option` names what the text was given to. */
int user_argument_read(const CliCall *call, const KeyAccess *access, const char *option,
                       const char *text, Uuid *ret_user);
