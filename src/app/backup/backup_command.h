/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* imagesync backup and imagesync restore: what a server keeps, into a folder and back. */

#include "app/cli.h"

#define BACKUP_DATABASE "database.db"
#define BACKUP_FILES    "files.sha256"
#define BACKUP_MANIFEST "manifest.json"
#define BACKUP_BLOBS    "files"

typedef struct BackupOptions {
    const char *keys;
} BackupOptions;

extern const CliOption backup_options[], restore_options[];

int backup_command(const CliCall *call);
int restore_command(const CliCall *call);
