/* SPDX-License-Identifier: Apache-2.0 */
#include "core/events/event_log.h"

#include "core/events/event_log_private.h"

#include "base/error.h"

enum {
    NEXT_SEQ,
    ADD,
    MARK,
    HEAD,
    READ,
    LAST,
    _STATEMENTS_MAX,
};

static const DbStatement statements[_STATEMENTS_MAX] = {
    [NEXT_SEQ] = {"event_next_seq",
                  "INSERT INTO event_head (user_id, topic, seq, horizon, changed_us)"
                  " VALUES (?, ?, 1, 0, ?) ON CONFLICT (user_id, topic) DO UPDATE SET"
                  " seq = event_head.seq + 1, changed_us = excluded.changed_us RETURNING seq",
                  3, 1},
    [ADD] = {"event_add",
             "INSERT INTO event (user_id, topic, seq, kind, object_id, version, removed,"
             " device_id, at_us, facts, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
             11, 0},
    [MARK] = {"event_mark",
              "INSERT INTO event_outbox (shard, user_id, topic) VALUES (?, ?, ?)"
              " ON CONFLICT DO NOTHING",
              3, 0},
    [HEAD] = {"event_head",
              "SELECT seq, horizon, changed_us FROM event_head WHERE user_id = ? AND topic = ?", 2,
              3},
    [READ] = {"event_read",
              "SELECT seq, kind, object_id, version, removed, device_id, at_us, facts, sealed"
              " FROM event WHERE user_id = ? AND topic = ? AND seq > ? ORDER BY seq LIMIT ?",
              4, 9},
    [LAST] = {"event_last",
              "SELECT seq FROM event WHERE user_id = ? AND topic = ? AND object_id = ?"
              " AND kind = ? ORDER BY seq DESC LIMIT 1",
              4, 1},
};

const ErasedTable event_log_tables[] = {
    ERASED_TABLE("event_outbox"),
    ERASED_TABLE("event_head"),
    ERASED_TABLE("event_relayed"),
    ERASED_TABLE_IN_BATCHES("event", "topic, seq"),
};
const size_t event_log_tables_len = ARRAY_LEN(event_log_tables);

int event_log_check(Db *db, const char **reterr_name) {
    int r = db_check(db, statements, _STATEMENTS_MAX, reterr_name);

    return r < 0 ? r : event_log_trim_check(db, reterr_name);
}

unsigned event_shard(const Uuid *user_id) {
    return user_id->bytes[15] % EVENT_SHARDS; /* of the random bits of a version 7 */
}

static bool name_is_good(const char *name) {
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz_");

    return len >= 1 && len <= EVENT_NAME_MAX && name[len] == '\0';
}

static int run(DbTx *tx, int statement, const DbValue *params) {
    int r = db_exec(tx, &statements[statement], params, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int event_log_append(DbTx *tx, Event *event, Arena *arena) {
    const DbValue user_id = DB_BLOB(uuid_str(&event->user_id));
    const DbValue topic = DB_TEXT(str_from(event->topic));
    const DbValue *row;
    int r;

    if (!name_is_good(event->topic) || !name_is_good(event->kind) || event->version < 1 ||
        strlen(event->facts) > EVENT_FACTS_MAX || event->sealed.len > EVENT_SEALED_MAX ||
        (event->removed && event->sealed.len > 0)) {
        return err_trace(-EINVAL);
    }
    r = db_query_one(tx, &statements[NEXT_SEQ], (DbValue[]){user_id, topic, DB_INT(event->at_us)},
                     arena, &row);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    event->seq = row[0].integer;
    r = run(
        tx, ADD,
        (DbValue[]){user_id, topic, DB_INT(event->seq), DB_TEXT(str_from(event->kind)),
                    DB_BLOB(uuid_str(&event->object_id)), DB_INT(event->version),
                    DB_INT(event->removed),
                    uuid_is_nil(&event->device_id) ? DB_NULL : DB_BLOB(uuid_str(&event->device_id)),
                    DB_INT(event->at_us), DB_TEXT(str_from(event->facts)), DB_BLOB(event->sealed)});
    if (r < 0) {
        return err_trace(r);
    }
    r = run(tx, MARK, (DbValue[]){DB_INT(event_shard(&event->user_id)), user_id, topic});
    return err_trace(r);
}

int event_log_head(DbTx *tx, const Uuid *user_id, const char *topic, Arena *arena,
                   EventHead *ret_head) {
    const DbValue *row;
    int r = db_query_one(tx, &statements[HEAD],
                         (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_TEXT(str_from(topic))}, arena,
                         &row);

    if (r == DB_E_NONE) {
        *ret_head = (EventHead){0};
        return 0;
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_head = (EventHead){row[0].integer, row[1].integer, row[2].integer};
    return 0;
}

static int read_event(const DbValue *row, Event *event) {
    event->seq = row[0].integer;
    event->kind = row[1].bytes.ptr;
    event->version = row[3].integer;
    event->removed = row[4].integer != 0;
    event->at_us = row[6].integer;
    event->facts = row[7].bytes.ptr;
    event->sealed = row[8].bytes;
    if (uuid_from_str(row[2].bytes, &event->object_id) < 0 ||
        (row[5].type != DB_TYPE_NULL && uuid_from_str(row[5].bytes, &event->device_id) < 0)) {
        return err_trace(-EBADMSG);
    }
    return 0;
}

int event_log_read(DbTx *tx, const Uuid *user_id, const char *topic, int64_t after, size_t max,
                   Arena *arena, Event **ret_events, size_t *ret_n) {
    DbRows rows;
    Event *events;
    int r;

    if (max < 1 || max > EVENT_READ_MAX) {
        return err_trace(-EINVAL);
    }
    r = db_query(tx, &statements[READ],
                 (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_TEXT(str_from(topic)), DB_INT(after),
                             DB_INT(max)},
                 max, arena, &rows);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    events = arena_alloc(arena, (rows.n_rows + 1) * sizeof(*events));
    for (size_t i = 0; i < rows.n_rows; i++) {
        events[i] = (Event){.user_id = *user_id, .topic = topic};
        r = read_event(db_rows_at(&rows, i, 0), &events[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_events = events;
    *ret_n = rows.n_rows;
    return 0;
}

int event_log_last(DbTx *tx, const Uuid *user_id, const char *topic, const char *kind,
                   const Uuid *object_id, Arena *arena, int64_t *ret_seq) {
    const DbValue *row;
    int r = db_query_one(tx, &statements[LAST],
                         (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_TEXT(str_from(topic)),
                                     DB_BLOB(uuid_str(object_id)), DB_TEXT(str_from(kind))},
                         arena, &row);

    if (r != 0 && r != DB_E_NONE) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_seq = r == 0 ? row[0].integer : 0;
    return 0;
}
