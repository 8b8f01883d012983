/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/settings.h"

#define AT(member) offsetof(SyncSettings, member)

const ConfigField sync_settings_fields[] = {
    {"changes-keep-days", CONFIG_U64, AT(changes_keep_days), "90", 1, 3650, "d",
     "how long a device may be away and still be told only what has changed; after that it reads "
     "everything anew"},
    {"mutation-keep-days", CONFIG_U64, AT(mutation_keep_days), "30", 1, 3650, "d",
     "how long it is remembered what a device was answered, for when it asks again"},
    {"stream-heartbeat-s", CONFIG_U64, AT(stream_heartbeat_s), "25", 1, 60, "s",
     "how often a device that listens for changes is told that it is still heard, and it is looked "
     "whether it may still listen"},
    {0},
};
