/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The settings of the sync service, with their names, defaults and bounds in one table. */

#include "base/config.h"

typedef struct SyncSettings {
    uint64_t changes_keep_days, mutation_keep_days;
    uint64_t stream_heartbeat_s;
    uint64_t upload_max_mib, library_quota_mib, upload_keep_h, uploads_at_once, blob_grace_s;
    uint64_t trash_days, trash_every_s;
    uint64_t ingest_threads, reingest_every_s;
} SyncSettings;

extern const ConfigField sync_settings_fields[];
