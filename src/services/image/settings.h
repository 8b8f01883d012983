/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The settings of the image service, with their names, defaults and bounds in one table. */

#include "base/config.h"

typedef struct ImageSettings {
    const char *api_keys;           /* key[:credits],... */
    const char *page_access;        /* auto, open or key: see access.h */
    const char *page_hosts;         /* names by which browsers reach us, besides addresses */
    uint64_t megapixels_per_minute; /* of one key; 0: no limit */
    uint64_t file_max_mib;          /* of one file or URL */
    uint64_t improve_per_day;       /* of one key */
    uint64_t improve_keep_days;     /* 0: for ever */
} ImageSettings;

extern const ConfigField image_settings_fields[];

/* The largest request body that can carry two files of file_max_mib, one of them in base64. */
uint64_t image_settings_body_max(const ImageSettings *settings);
