/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* imagesync sync DIR, sync status DIR: see docs/guides/folder-sync.md. */

#include "app/cli.h"

typedef struct SyncDirOptions {
    const char *server, *token, *ca;
    bool once, pull_only, push_only, delete_to_trash, plain_http, quiet;
    uint32_t settle_s;
} SyncDirOptions;

extern const CliOption sync_dir_options[];
extern const SyncDirOptions sync_dir_options_init;

int sync_dir_command(const CliCall *call);
int sync_dir_status_command(const CliCall *call);
