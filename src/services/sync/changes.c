/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/changes.h"

#include "base/error.h"
#include "base/log.h"

#define PAGE_BYTES_MAX ((size_t)4 << 20)
#define CHUNK          100 /* events read at once, so that large ones do not fill the memory */
#define PLACES         2048
_Static_assert(PLACES >= 2 * CHANGES_MAX, "the table of objects stays half empty");

json_t *change_json(const Library *library, const Event *event) {
    _cleanup_(object_done)
        Object object = {event->object_id, event->version, event->seq, event->at_us, NULL};
    int r = event->removed ? 0 : object_of_event(library, event, &object);
    json_t *json = object_json(event->kind, &object);
    char id[UUID_TEXT_SIZE];

    if (r != 0) {
        uuid_text(&event->object_id, id);
        log_error("object does not open", LOG_STR("kind", event->kind), LOG_STR("id", id),
                  LOG_INT("seq", event->seq));
        json_object_del(json, "removed");
        json_object_set_new(json, "unreadable", json_true());
    }
    return json;
}

typedef struct Reading {
    Event events[CHANGES_MAX];
    size_t n, bytes;
} Reading;

static int read_chunk(DbTx *tx, const Library *library, int64_t after, size_t max, Reading *reading,
                      bool *ret_end) {
    Event *events;
    size_t n, wanted = MIN(max - reading->n, (size_t)CHUNK);
    int r = event_log_read(tx, &library->key->user_id, SYNC_TOPIC, after, wanted, library->arena,
                           &events, &n);

    if (r < 0) {
        return err_trace(r);
    }
    *ret_end = n < wanted;
    for (size_t i = 0; i < n && !(*ret_end && reading->bytes > PAGE_BYTES_MAX); i++) {
        reading->events[reading->n++] = events[i];
        reading->bytes += events[i].sealed.len;
        *ret_end |= reading->bytes > PAGE_BYTES_MAX;
    }
    *ret_end |= reading->n >= max;
    return 0;
}

/* From the last on back: whether the object was seen before, and is now. */
static bool note(const Reading *reading, uint16_t places[PLACES], size_t i) {
    const Event *event = &reading->events[i];
    size_t at = (event->object_id.bytes[14] << 8 | event->object_id.bytes[15]) % PLACES;

    for (; places[at] != 0; at = (at + 1) % PLACES) {
        const Event *other = &reading->events[places[at] - 1];
        if (uuid_equal(&other->object_id, &event->object_id) &&
            strcmp(other->kind, event->kind) == 0) {
            return true;
        }
    }
    places[at] = (uint16_t)(i + 1);
    return false;
}

static json_t *tell(const Library *library, const Reading *reading) {
    uint16_t places[PLACES] = {0};
    bool superseded[CHANGES_MAX];
    json_t *changes = json_array();

    for (size_t i = reading->n; i-- > 0;) {
        superseded[i] = note(reading, places, i);
    }
    for (size_t i = 0; i < reading->n; i++) {
        if (!superseded[i]) {
            json_array_append_new(changes, change_json(library, &reading->events[i]));
        }
    }
    return changes;
}

int changes_read(DbTx *tx, const Library *library, int64_t since, size_t max,
                 ChangePage *ret_page) {
    Reading *reading = arena_alloc(library->arena, sizeof(*reading));
    ChangePage page = {.next = since};
    bool end = false;
    EventHead head;
    int r = event_log_head(tx, &library->key->user_id, SYNC_TOPIC, library->arena, &head);

    if (r < 0) {
        return err_trace(r);
    }
    page.horizon = head.horizon;
    if (since < head.horizon || since > head.seq) {
        *ret_page = page;
        return CHANGES_E_CURSOR;
    }
    reading->n = reading->bytes = 0;
    while (!end) {
        r = read_chunk(tx, library, page.next, max, reading, &end);
        if (r < 0) {
            return err_trace(r);
        }
        page.next = reading->n > 0 ? reading->events[reading->n - 1].seq : since;
    }
    page.more = page.next < head.seq;
    page.changes = tell(library, reading);
    *ret_page = page;
    return 0;
}
