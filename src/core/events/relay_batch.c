/* SPDX-License-Identifier: Apache-2.0 */

/* What is published at once: read, and then noted as relayed. */

#include "core/events/relay_private.h"

#include "base/error.h"

/* Of one user, so that a long log does not hold up others; and of all, in memory. */
#define USER_EVENTS_MIN 16
#define USER_EVENTS_MAX 64
#define BYTES_MAX       ((size_t)4 << 20)

enum {
    MARKED,
    OLDEST,
    MOVE,
    HEAD_IS,
    UNMARK,
    _STATEMENTS_MAX,
};

static const DbStatement statements[_STATEMENTS_MAX] = {
    [MARKED] = {"event_relay_marked",
                "SELECT o.user_id, o.topic, COALESCE(r.seq, 0), COALESCE(h.seq, 0)"
                " FROM event_outbox AS o"
                " LEFT JOIN event_relayed AS r ON r.user_id = o.user_id AND r.topic = o.topic"
                " LEFT JOIN event_head AS h ON h.user_id = o.user_id AND h.topic = o.topic"
                " WHERE o.shard = ? AND (o.user_id, o.topic) > (?, ?)"
                " ORDER BY o.user_id, o.topic LIMIT ?",
                4, 4},
    [OLDEST] = {"event_relay_oldest",
                "SELECT COALESCE(MIN(e.at_us), 0) FROM event_outbox AS o"
                " LEFT JOIN event_relayed AS r ON r.user_id = o.user_id AND r.topic = o.topic"
                " JOIN event AS e ON e.user_id = o.user_id AND e.topic = o.topic"
                " AND e.seq = COALESCE(r.seq, 0) + 1",
                0, 1},
    /* Only of a user who is still there. */
    [MOVE] = {"event_relay_move",
              "INSERT INTO event_relayed (user_id, topic, seq)"
              " SELECT user_id, topic, CAST(? AS BIGINT) FROM event_head"
              " WHERE user_id = ? AND topic = ?"
              " ON CONFLICT (user_id, topic) DO UPDATE SET seq = excluded.seq",
              3, 0},
    /* A write, so that whoever adds an event at the same time is in conflict, or sees that the mark
     * is gone; on every engine, and without a lock that only some have. */
    [HEAD_IS] = {"event_relay_head_is",
                 "UPDATE event_head SET seq = seq WHERE user_id = ? AND topic = ? AND seq = ?", 3,
                 0},
    [UNMARK] = {"event_relay_unmark",
                "DELETE FROM event_outbox WHERE shard = ? AND user_id = ? AND topic = ?", 3, 0},
};

int relay_batch_check(Db *db) {
    const char *wrong;
    int r = db_check(db, statements, _STATEMENTS_MAX, &wrong);

    r = r < 0 ? r : event_log_check(db, &wrong);
    return r < 0 ? err_trace(r) : 0;
}

static int read_entry(const DbValue *row, unsigned shard, RelayEntry *entry) {
    *entry = (RelayEntry){
        .shard = shard, .relayed = row[2].integer, .head = row[3].integer, .to = row[2].integer};
    if (uuid_from_str(row[0].bytes, &entry->place.user_id) < 0 ||
        row[1].bytes.len > EVENT_NAME_MAX) {
        return err_trace(-EBADMSG);
    }
    memcpy(entry->place.topic, row[1].bytes.ptr, row[1].bytes.len);
    return 0;
}

/* Those of a shard after the last that a batch had. */
static int read_marked(EventRelay *relay, DbTx *tx, unsigned shard) {
    RelayBatch *batch = &relay->batch;
    const RelayPlace *passed = &relay->passed[shard];
    Str after = passed->topic[0] ? uuid_str(&passed->user_id) : str_lit("");
    DbRows rows;
    int r = db_query(tx, &statements[MARKED],
                     (DbValue[]){DB_INT(shard), DB_BLOB(after), DB_TEXT(str_from(passed->topic)),
                                 DB_INT(RELAY_USERS_MAX)},
                     RELAY_USERS_MAX, batch->arena, &rows);

    for (size_t i = 0; r == 0 && i < rows.n_rows; i++) {
        r = read_entry(db_rows_at(&rows, i, 0), shard, &batch->entries[batch->n_entries++]);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    batch->n_marked[shard] = rows.n_rows;
    return 0;
}

/* Where the next batch goes on: after these, or from the first on again after the last. */
static void pass(EventRelay *relay) {
    const RelayBatch *batch = &relay->batch;
    size_t n_had[EVENT_SHARDS] = {0};

    for (size_t i = 0; i < batch->n_entries; i++) {
        relay->passed[batch->entries[i].shard] = batch->entries[i].place;
        n_had[batch->entries[i].shard]++;
    }
    for (unsigned shard = 0; shard < EVENT_SHARDS; shard++) {
        if (batch->n_marked[shard] < RELAY_USERS_MAX && n_had[shard] == batch->n_marked[shard]) {
            relay->passed[shard] = (RelayPlace){0};
        }
    }
}

static int read_events(RelayBatch *batch, DbTx *tx, RelayEntry *entry, size_t max,
                       size_t *n_bytes) {
    Event *events;
    size_t n;
    int r = event_log_read(tx, &entry->place.user_id, entry->place.topic, entry->relayed, max,
                           batch->arena, &events, &n);

    if (r < 0) {
        return err_trace(r);
    }
    memcpy(&batch->events[batch->n_events], events, n * sizeof(*events));
    batch->n_events += n;
    for (size_t i = 0; i < n; i++) {
        *n_bytes += events[i].sealed.len;
    }
    /* At the end of the log there may be numbers whose events were removed. */
    entry->to = n < max ? entry->head : events[n - 1].seq;
    return 0;
}

int relay_batch_read(DbTx *tx, void *userdata) {
    EventRelay *relay = userdata;
    RelayBatch *batch = &relay->batch;
    size_t n_bytes = 0, user_max, n;
    int r = 0;

    arena_free(batch->arena);
    batch->arena = arena_new();
    batch->n_entries = batch->n_events = 0;
    memset(batch->n_marked, 0, sizeof(batch->n_marked));
    for (unsigned i = 0; i < EVENT_SHARDS && r == 0; i++) {
        unsigned shard = (relay->first_shard + i) % EVENT_SHARDS;
        r = relay->held & 1u << shard ? read_marked(relay, tx, shard) : 0;
    }
    if (r < 0) {
        return r;
    }
    user_max = CLAMP(EVENT_SINK_MAX / MAX(batch->n_entries, (size_t)1), (size_t)USER_EVENTS_MIN,
                     (size_t)USER_EVENTS_MAX);
    for (n = 0; n < batch->n_entries && n_bytes < BYTES_MAX &&
                batch->n_events + user_max <= EVENT_SINK_MAX;
         n++) {
        RelayEntry *entry = &batch->entries[n];
        r = read_events(batch, tx, entry, user_max, &n_bytes);
        if (r < 0) {
            return r;
        }
    }
    batch->n_entries = n;
    pass(relay);
    return 0;
}

int relay_batch_oldest(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    EventRelay *relay = userdata;
    const DbValue *row;
    int r = db_query_one(tx, &statements[OLDEST], NULL, arena, &row);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    relay->oldest_us = row[0].integer;
    return 0;
}

static int move_entry(DbTx *tx, const RelayEntry *entry) {
    const DbValue user_id = DB_BLOB(uuid_str(&entry->place.user_id));
    const DbValue topic = DB_TEXT(str_from(entry->place.topic));
    uint64_t is_last = 0;
    int r = 0;

    if (entry->to > entry->relayed) {
        r = db_exec(tx, &statements[MOVE], (DbValue[]){DB_INT(entry->to), user_id, topic}, NULL);
    }
    if (r == 0 && entry->to >= entry->head) {
        r = db_exec(tx, &statements[HEAD_IS], (DbValue[]){user_id, topic, DB_INT(entry->to)},
                    &is_last);
    }
    if (r == 0 && is_last == 1) {
        r = db_exec(tx, &statements[UNMARK], (DbValue[]){DB_INT(entry->shard), user_id, topic},
                    NULL);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int relay_batch_move(DbTx *tx, void *userdata) {
    EventRelay *relay = userdata;
    uint32_t asked = 0, ours = 0;
    int r = 0;

    for (size_t i = 0; i < relay->batch.n_entries && r == 0; i++) {
        const RelayEntry *entry = &relay->batch.entries[i];
        uint32_t bit = 1u << entry->shard;
        if (!(asked & bit)) {
            asked |= bit;
            r = relay_lease_keep(relay, tx, entry->shard);
            if (r < 0) {
                return r;
            }
            ours |= r == 0 ? bit : 0;
        }
        r = ours & bit ? move_entry(tx, entry) : 0;
    }
    relay->held &= ~(asked & ~ours);
    return r;
}
