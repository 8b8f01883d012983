/* SPDX-License-Identifier: Apache-2.0 */

/* What is written to a stream (HTML, section 9.2: server-sent events). */

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "services/sync/changes.h"
#include "services/sync/stream/streams_internal.h"

#define PAGE 100

typedef struct Reading {
    Library library;
    int64_t since;
    ChangePage page;
} Reading;

static int read_page(DbTx *tx, void *userdata) {
    Reading *reading = userdata;

    json_decref(reading->page.changes);
    reading->page.changes = NULL;
    return changes_read(tx, &reading->library, reading->since, PAGE, &reading->page);
}

static int write_change(ChangeStream *stream, const json_t *change) {
    _cleanup_(freep) char *text = json_dumps(change, JSON_COMPACT);
    _cleanup_(buf_done) Buf event = BUF_INIT;
    int64_t seq = json_integer_value(json_object_get(change, "seq"));
    int r;

    buf_addf(&event, "id: %lld.%s\nevent: change\ndata: ", (long long)seq,
             stream->streams->service->epoch);
    buf_add_str(&event, str_from(text));
    buf_add_str(&event, str_lit("\n\n"));
    r = http_stream_write(stream->http, buf_str(&event));
    if (r == 0) {
        stream->seq = seq;
        return 0;
    }
    return r == -ENOBUFS ? STREAM_E_FULL : STREAM_E_END;
}

/* One page; *ret_more: there is another. */
static int send_page(ChangeStream *stream, const UserKey *key, bool *ret_more) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Reading reading = {.library = {.key = key, .now_us = clock_unix_us(), .arena = arena},
                       .since = stream->seq};
    int r = db_read(stream->streams->service->options.db, NULL, read_page, &reading);

    for (size_t i = 0; r == 0 && i < json_array_size(reading.page.changes); i++) {
        r = write_change(stream, json_array_get(reading.page.changes, i));
    }
    json_decref(reading.page.changes);
    *ret_more = r == 0 && reading.page.more;
    return r;
}

int change_stream_send(ChangeStream *stream) {
    _cleanup_(user_key_done) UserKey key;
    bool more = true;
    int r = library_key_get(stream->streams->service->keys, &stream->user_id, &key);

    if (r != 0) {
        return r < 0 ? err_trace(r) : STREAM_E_END; /* the user is erased */
    }
    while (r == 0 && more) {
        r = send_page(stream, &key, &more);
    }
    if (r < 0) {
        log_error("changes cannot be read", LOG_STR("error", strerrordesc_np(-r)));
    }
    /* CHANGES_E_CURSOR: it comes again, and is told to read everything anew. */
    return r == STREAM_E_FULL || r <= 0 ? r : STREAM_E_END;
}

int change_stream_beat(ChangeStream *stream) {
    AccessCaller caller;
    int r = access_find_caller(stream->streams->service->options.access,
                               (Str){stream->credential, stream->credential_len}, &caller);

    /* When it cannot be known it is asked again with the next heartbeat. */
    if (r > 0 || (r == 0 && (!(caller.scopes & ACCESS_SCOPE_LIBRARY) ||
                             !uuid_equal(&caller.user_id, &stream->user_id)))) {
        return STREAM_E_END;
    }
    return http_stream_write(stream->http, str_lit(": heartbeat\n\n")) == -EPIPE ? STREAM_E_END : 0;
}
