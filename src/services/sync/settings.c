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
    {"upload-max-mib", CONFIG_U64, AT(upload_max_mib), "4096", 1, 1 << 20, "MiB",
     "Most that a file of a library may have."},
    {"library-quota-mib", CONFIG_U64, AT(library_quota_mib), "0", 0, 1ULL << 32, "MiB",
     "Most that the files of one person may have together. 0: no limit."},
    {"upload-keep-h", CONFIG_U64, AT(upload_keep_h), "168", 1, 8760, "h",
     "How long an upload can be gone on with."},
    {"uploads-at-once", CONFIG_U64, AT(uploads_at_once), "256", 1, 100000, NULL,
     "Uploads that bytes are taken for at the same time in this process, each with 0.9 MB of "
     "memory, or 6.3 MB when it has 16 MiB or more; more are told to come back."},
    {"blob-grace-s", CONFIG_U64, AT(blob_grace_s), "86400", 1, 31536000, "s",
     "How long a file in the store that belongs to nobody stays there."},
    {"trash-days", CONFIG_U64, AT(trash_days), "30", 0, 3650, "d",
     "how long a photo lies in the trash before it is removed for good"},
    {"trash-every-s", CONFIG_U64, AT(trash_every_s), "600", 1, 86400, "s",
     "how often the trash is looked through"},
    {"ingest-threads", CONFIG_U64, AT(ingest_threads), "2", 1, 16, NULL,
     "new photos that are looked into at the same time"},
    {"reingest-every-s", CONFIG_U64, AT(reingest_every_s), "10", 1, 86400, "s",
     "how often, while no new photos come, a hundred of those are looked into again that an "
     "earlier "
     "version has looked into"},
    {0},
};
