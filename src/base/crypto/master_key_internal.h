/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What master_key.c (keys), master_key_file.c and master_key_command.c (sources) share. */

#include "base/crypto/master_key.h"

/* Reads the text of a source. 0, or MASTER_KEY_E_REFUSED. */
int master_keys_parse(Str text, MasterKeys **ret_keys, const char **reterr);
bool master_keys_has(const MasterKeys *keys, Str id);
