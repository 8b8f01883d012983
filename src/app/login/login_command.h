/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* imagesync login, logout, whoami: at an Image Sync server, by the device authorization grant. */

#include "app/cli.h"

typedef struct LoginOptions {
    const char *server, *ca;
    bool open, plain_http;
} LoginOptions;

extern const CliOption login_options[], session_options[];

int login_command(const CliCall *call);
int logout_command(const CliCall *call);
int whoami_command(const CliCall *call);
