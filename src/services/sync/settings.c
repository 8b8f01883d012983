/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/settings.h"

#define AT(member) offsetof(SyncSettings, member)

const ConfigField sync_settings_fields[] = {
    {"mutation-keep-days", CONFIG_U64, AT(mutation_keep_days), "30", 1, 3650, "d",
     "how long it is remembered what a device was answered, for when it asks again"},
    {"stream-heartbeat-s", CONFIG_U64, AT(stream_heartbeat_s), "25", 1, 60, "s",
     "how often a device that listens for changes is told that it is still heard, and it is looked "
     "whether it may still listen"},
    {"trash-days", CONFIG_U64, AT(trash_days), "30", 0, 3650, "d",
     "how long a photo lies in the trash before it is removed for good"},
    {"trash-every-s", CONFIG_U64, AT(trash_every_s), "600", 1, 86400, "s",
     "how often the trash is looked through"},
    {"ingest-threads", CONFIG_U64, AT(ingest_threads), "2", 1, 16, "",
     "new photos that are looked into at the same time"},
    {0},
};
