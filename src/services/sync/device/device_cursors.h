/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The table sync_device: how far each device of a user has read the log. In a transaction of the
 * caller's. */

#include "services/sync/objects.h"

#define DEVICES_MAX     1000 /* that are listed */
#define DEVICE_NAME_MAX 200  /* bytes */

extern const DbStatement device_cursor_statements[];
extern const size_t device_cursor_statements_len;

typedef struct Device {
    Uuid id;
    int64_t seq, seen_us;
    const char *name; /* "": it has not said */
} Device;

/* Notes where the device is; the name stays as it was when it is "". 0 or a fault. */
int device_cursor_put(DbTx *tx, const Library *library, const Device *device);

/* {"id", "seq", "seen", "name"}, a new reference. */
json_t *device_json(const Device *device);

/* All, in the order of their ids, in the arena. */
int device_cursor_list(DbTx *tx, const Library *library, Device **ret_devices, size_t *ret_n);
