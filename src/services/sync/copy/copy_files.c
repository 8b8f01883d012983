/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/copy/copy_files.h"

#include "base/clock.h"
#include "base/error.h"
#include "services/sync/blob_store.h"
#include "services/sync/device/device_cursors.h"
#include "services/sync/object_list.h"
#include "services/sync/photo/photo_learn.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/share/share_store.h"

#include <stdio.h>

#define OBJECTS_PAGE 500
#define SHARES_PAGE  100

/* What comes next, in this order. A place is "STEP:N:CURSOR". */
typedef enum Step {
    STEP_SETTINGS,
    STEP_DEVICES,
    STEP_SHARES,
    STEP_OBJECTS,
    STEP_PHOTOS,
    _STEP_MAX,
} Step;

typedef struct Place {
    Step step;
    uint64_t n;         /* of shares: how many were given; of objects: how many pages */
    ObjectCursor after; /* of objects and photos */
} Place;

typedef struct Copy {
    SyncService *service;
    UserKey key;
    Library library;
    Place from, place; /* what was asked, and where that leads */
    LibraryFile file;
    bool found;
    StoredBlob blob;
} Copy;

static int place_parse(const char *text, Place *ret_place) {
    Str rest = str_from(text), step, n;
    Place place = {0};
    uint64_t number;

    if (rest.len == 0) {
        *ret_place = place;
        return 0;
    }
    if (!str_next_token(&rest, ":", &step) || !str_next_token(&rest, ":", &n) ||
        str_to_u64(step, &number) < 0 || number >= _STEP_MAX || str_to_u64(n, &place.n) < 0 ||
        (rest.len > 0 && cursor_parse(rest, &place.after) < 0)) {
        return -EINVAL;
    }
    place.step = (Step)number;
    *ret_place = place;
    return 0;
}

static const char *place_text(const Place *place, Arena *arena) {
    return arena_printf(arena, "%d:%llu:%s", (int)place->step, (unsigned long long)place->n,
                        place->after.kind[0] ? cursor_text(&place->after, arena) : "");
}

static int copy_begin(SyncService *service, const Uuid *user_id, const char *at, Arena *arena,
                      Copy *ret_copy) {
    Copy *copy = ret_copy;
    int r = place_parse(at, &copy->from);

    if (r < 0) {
        return r;
    }
    copy->service = service;
    r = library_key_get(service->keys, user_id, &copy->key);
    copy->library = (Library){.key = &copy->key, .now_us = clock_unix_us(), .arena = arena};
    return r < 0 ? err_trace(r) : r;
}

static void copy_done(Copy *copy) {
    stored_blob_done(&copy->blob);
    user_key_done(&copy->key);
}

/* Takes the JSON over. */
static void give_text(Copy *copy, const char *name, json_t *json) {
    _cleanup_(freep) char *text = json_dumps(json, JSON_INDENT(2));

    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    json_decref(json);
    copy->found = true;
    copy->file = (LibraryFile){.name = name,
                               .at_s = (uint64_t)(copy->library.now_us / 1000000),
                               .size = strlen(text) + 1,
                               .text = str_from(arena_printf(copy->library.arena, "%s\n", text))};
}

static int give_settings(DbTx *tx, Copy *copy) {
    bool keeps;
    int r = library_keeps_places(tx, &copy->library, &keeps);

    if (r == 0) {
        give_text(copy, "settings.json", json_pack("{s:b}", "keep_places", keeps));
        copy->place.step = STEP_DEVICES;
    }
    return err_trace(r);
}

static int give_devices(DbTx *tx, Copy *copy) {
    json_t *devices;
    Device *found;
    size_t n;
    int r = device_cursor_list(tx, &copy->library, &found, &n);

    if (r < 0) {
        return err_trace(r);
    }
    devices = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(devices, device_json(&found[i]));
    }
    give_text(copy, "devices.json", json_pack("{s:o}", "devices", devices));
    copy->place.step = STEP_SHARES;
    return 0;
}

static int add_share(DbTx *tx, const Library *library, const Uuid *id, json_t *shares) {
    _cleanup_(share_done) Share share = {0};
    int r = share_get(tx, library, id, &share);

    if (r == 0) {
        json_array_append_new(shares, share_json(&share));
    }
    return r < 0 ? err_trace(r) : 0;
}

static int give_shares(DbTx *tx, Copy *copy) {
    json_t *shares = json_array();
    uint64_t at = copy->place.n, page = at / SHARES_PAGE + 1;
    size_t n;
    Uuid *ids;
    int r = share_list(tx, &copy->library, &ids, &n);

    for (; r == 0 && at < MIN(n, SHARES_MAX) && json_array_size(shares) < SHARES_PAGE; at++) {
        r = add_share(tx, &copy->library, &ids[at], shares);
    }
    if (r < 0) {
        json_decref(shares);
        return err_trace(r);
    }
    give_text(copy, arena_printf(copy->library.arena, "shares-%llu.json", (unsigned long long)page),
              json_pack("{s:o}", "shares", shares));
    copy->place =
        at < MIN(n, SHARES_MAX) ? (Place){STEP_SHARES, at, {0}} : (Place){.step = STEP_OBJECTS};
    return 0;
}

static int give_objects(DbTx *tx, Copy *copy) {
    uint64_t page = ++copy->place.n;
    json_t *objects;
    ObjectCursor next;
    bool more;
    int r = object_list(tx, &copy->library, NULL, &copy->place.after, OBJECTS_PAGE, &objects, &next,
                        &more);

    if (r < 0) {
        return err_trace(r);
    }
    give_text(copy,
              arena_printf(copy->library.arena, "objects-%llu.json", (unsigned long long)page),
              json_pack("{s:o}", "objects", objects));
    copy->place.after = next;
    if (!more) {
        copy->place = (Place){.step = STEP_PHOTOS};
    }
    return 0;
}

/* That photo's file; nothing when it is not there, or not to be read. */
static int find_photo(DbTx *tx, Copy *copy, const Uuid *id) {
    Arena *arena = copy->library.arena;
    _cleanup_(object_done) Object photo = {0};
    const char *name, *folder;
    char text[UUID_TEXT_SIZE];
    Uuid blob_id;
    int r = object_get(tx, &copy->library, OBJECT_PHOTO, id, &photo);

    if (r != 0 || !state_uuid(photo.state, "blob", &blob_id)) {
        return r < 0 && r != -EBADMSG ? err_trace(r) : 0;
    }
    stored_blob_done(&copy->blob);
    r = blob_store_get(tx, &copy->key, &blob_id, arena, &copy->blob);
    if (r != 0) {
        return r < 0 && r != -EBADMSG ? err_trace(r) : 0;
    }
    uuid_text(id, text);
    name = json_string_value(json_object_get(photo.state, "name"));
    folder = photo_trashed_us(photo.state) == 0 ? "photos" : "trash";
    copy->found = true;
    copy->file =
        (LibraryFile){.name = arena_printf(arena, "%s/%s %s", folder, text, name ? name : "photo"),
                      .at_s = (uint64_t)MAX(photo_local_s(photo.state), (int64_t)0),
                      .size = copy->blob.size};
    return 0;
}

/* Those that were removed are passed over. */
static int give_photo(DbTx *tx, Copy *copy) {
    size_t n = 1;
    Event *rows;
    int r = 0;

    while (r == 0 && n > 0 && !copy->found) {
        r = object_list_rows(tx, &copy->library, OBJECT_PHOTO, &copy->place.after, 1, &rows, &n);
        if (r == 0 && n > 0) {
            object_cursor_set(&copy->place.after, &rows[0]);
            r = rows[0].removed ? 0 : find_photo(tx, copy, &rows[0].object_id);
        }
    }
    return err_trace(r);
}

static int find_next(DbTx *tx, void *userdata) {
    static int (*const steps[_STEP_MAX])(DbTx * tx, Copy * copy) = {[STEP_SETTINGS] = give_settings,
                                                                    [STEP_DEVICES] = give_devices,
                                                                    [STEP_SHARES] = give_shares,
                                                                    [STEP_OBJECTS] = give_objects,
                                                                    [STEP_PHOTOS] = give_photo};
    Copy *copy = userdata;

    copy->found = false;
    copy->place = copy->from;
    return err_trace(steps[copy->from.step](tx, copy));
}

int copy_files_next(LibraryService *self, const Uuid *user_id, const char *at, Arena *arena,
                    LibraryFile *ret_file) {
    SyncService *service = sync_library_service_owner(self);
    _cleanup_(copy_done) Copy copy = {0};
    int r = copy_begin(service, user_id, at, arena, &copy);

    if (r == 0) {
        r = db_read(service->options.db, NULL, find_next, &copy);
    }
    if (r != 0 || !copy.found) {
        return r < 0 ? err_trace(r) : LIBRARY_SERVICE_E_END;
    }
    copy.file.at = place_text(&copy.place, arena);
    *ret_file = copy.file;
    return 0;
}

static int find_named(DbTx *tx, void *userdata) {
    Copy *copy = userdata;

    copy->found = false;
    return err_trace(find_photo(tx, copy, &copy->from.after.id));
}

int copy_files_read(LibraryService *self, const Uuid *user_id, const char *at, uint64_t offset,
                    void *ret_bytes, size_t len) {
    SyncService *service = sync_library_service_owner(self);
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(copy_done) Copy copy = {0};
    int r = copy_begin(service, user_id, at, arena, &copy);

    if (r == 0 && (copy.from.step != STEP_PHOTOS || len == 0 || len > LIBRARY_SERVICE_LEN_MAX)) {
        return -EINVAL;
    }
    if (r == 0) {
        r = db_read(service->options.db, NULL, find_named, &copy);
    }
    if (r != 0 || !copy.found) {
        return r < 0 ? err_trace(r) : LIBRARY_SERVICE_E_UNREADABLE;
    }
    r = sealed_blob_read(service->options.blobs, str_from(copy.blob.name), copy.blob.key,
                         copy.blob.size, offset, ret_bytes, len);
    return r > 0 ? LIBRARY_SERVICE_E_UNREADABLE : err_trace(r);
}
