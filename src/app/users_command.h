/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "app/cli.h"

typedef struct UsersEraseOptions {
    bool now;
} UsersEraseOptions;

extern const CliOption users_erase_options[];

/* `imagesync users ...`: what the operator does to accounts, also while a server runs. */
int users_grant_command(const CliCall *call);
int users_lock_command(const CliCall *call);
int users_unlock_command(const CliCall *call);
int users_role_command(const CliCall *call);
int users_erase_command(const CliCall *call);
