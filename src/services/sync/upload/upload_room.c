/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/upload_room.h"

#include "base/error.h"
#include "services/sync/usage.h"

static int left(DbTx *tx, SyncService *service, const Uuid *user_id, Arena *arena,
                uint64_t *ret_left) {
    uint64_t quota = service->options.settings->library_quota_mib << 20;

    return err_trace(usage_left(tx, user_id, quota, arena, ret_left));
}

int upload_room_first(DbTx *tx, SyncService *service, const Uuid *user_id, uint64_t length,
                      uint64_t ahead, Arena *arena, uint64_t *ret_reserved) {
    const bool known = length != UPLOAD_LENGTH_UNKNOWN;
    uint64_t room;
    int r = left(tx, service, user_id, arena, &room);

    if (r < 0) {
        return err_trace(r);
    }
    if (room < (known ? length : 1)) {
        return UPLOAD_ROOM_E_QUOTA;
    }
    *ret_reserved = known ? length : MIN(room, CLAMP(ahead, 1, UPLOAD_ROOM_STEP));
    return 0;
}

typedef struct Growth {
    SyncService *service;
    const UserKey *key;
    const Upload *upload;
    Arena *arena;
    uint64_t n;        /* that are missing */
    uint64_t reserved; /* of all, then */
} Growth;

static int grow(DbTx *tx, void *userdata) {
    Growth *growth = userdata;
    const Uuid *user_id = &growth->key->user_id;
    uint64_t room, more;
    int r = left(tx, growth->service, user_id, growth->arena, &room);

    if (r < 0) {
        return err_trace(r);
    }
    if (room < growth->n) {
        return UPLOAD_ROOM_E_QUOTA;
    }
    more = MIN(room, MAX(growth->n, UPLOAD_ROOM_STEP));
    growth->reserved = growth->upload->reserved + more;
    r = upload_reserve(tx, growth->key, growth->upload, growth->reserved);
    if (r != 0) {
        return r < 0 ? err_trace(r) : UPLOAD_ROOM_E_LOST;
    }
    return err_trace(usage_add(tx, user_id, &(Usage){.reserved = (int64_t)more}));
}

int upload_room_grow(SyncService *service, const UserKey *key, Upload *upload, uint64_t n) {
    uint64_t wanted = upload->progress.offset + n;
    Growth growth;
    int r;

    if (wanted <= upload->reserved) {
        return 0;
    }
    growth = (Growth){.service = service,
                      .key = key,
                      .upload = upload,
                      .arena = arena_new(),
                      .n = wanted - upload->reserved};
    r = db_write(service->options.db, grow, &growth, NULL);
    arena_free(growth.arena);
    if (r == 0) {
        upload->reserved = growth.reserved;
    }
    return r < 0 ? err_trace(r) : r;
}
