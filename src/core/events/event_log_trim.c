/* SPDX-License-Identifier: Apache-2.0 */
#include "core/events/event_log.h"
#include "core/events/event_log_private.h"

#include "base/error.h"

enum {
    CANDIDATES,
    REMOVE,
    RAISE_HORIZON,
    RELAYED,
    _STATEMENTS_MAX,
};

/* What becomes of an event. */
enum {
    STAYS,
    IS_SUPERSEDED,
    IS_TOMBSTONE,
};

#define HAS_OTHER(order)                                                                           \
    "EXISTS (SELECT 1 FROM event AS other WHERE other.user_id = e.user_id"                         \
    " AND other.topic = e.topic AND other.object_id = e.object_id AND other.kind = e.kind"         \
    " AND other.seq " order " e.seq)"
#define HAS_LATER   HAS_OTHER(">")
#define HAS_EARLIER HAS_OTHER("<")

static const DbStatement statements[_STATEMENTS_MAX] = {
    [CANDIDATES] = {"event_trim_candidates",
                    "SELECT e.seq, e.kind, e.object_id, e.at_us,"
                    " CASE WHEN e.at_us < ? AND " HAS_LATER " THEN 1"
                    " WHEN e.at_us < ? AND e.removed = 1 AND NOT " HAS_LATER " AND NOT " HAS_EARLIER
                    " THEN 2"
                    " ELSE 0 END"
                    " FROM (SELECT user_id, topic, seq, kind, object_id, at_us, removed FROM event"
                    " WHERE user_id = ? AND topic = ? AND seq > ? AND seq <= ?"
                    " ORDER BY seq LIMIT ?) AS e ORDER BY e.seq",
                    7, 5},
    [REMOVE] = {"event_trim_remove",
                "DELETE FROM event WHERE user_id = ? AND topic = ? AND seq = ?", 3, 0},
    [RAISE_HORIZON] = {"event_trim_raise_horizon",
                       "UPDATE event_head SET horizon = ? WHERE user_id = ? AND topic = ?"
                       " AND horizon < ?",
                       4, 0},
    [RELAYED] = {"event_trim_relayed",
                 "SELECT seq FROM event_relayed WHERE user_id = ? AND topic = ?", 2, 1},
};

int event_log_trim_check(Db *db, const char **reterr_name) {
    return db_check(db, statements, _STATEMENTS_MAX, reterr_name);
}

/* The last that may go, as far as the relay is concerned. */
static int last_to_go(DbTx *tx, const EventTrim *trim, Arena *arena, int64_t *ret_seq) {
    const DbValue *row;
    int r;

    *ret_seq = INT64_MAX;
    if (!trim->relays) {
        return 0;
    }
    r = db_query_one(tx, &statements[RELAYED],
                     (DbValue[]){DB_BLOB(uuid_str(&trim->user_id)), DB_TEXT(str_from(trim->topic))},
                     arena, &row);
    if (r != 0 && r != DB_E_NONE) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_seq = r == 0 ? row[0].integer : 0;
    return 0;
}

/* Those of the rows that go; counts them, and raises the horizon. */
static int remove_events(DbTx *tx, const EventTrim *trim, const DbRows *rows, size_t *ret_n) {
    const DbValue user_id = DB_BLOB(uuid_str(&trim->user_id));
    const DbValue topic = DB_TEXT(str_from(trim->topic));
    DbValue last = DB_INT(0);
    size_t n = 0;
    int r = 0;

    for (size_t i = 0; i < rows->n_rows && r == 0; i++) {
        if (db_rows_at(rows, i, 4)->integer != STAYS) {
            last = DB_INT(db_rows_at(rows, i, 0)->integer);
            r = db_exec(tx, &statements[REMOVE], (DbValue[]){user_id, topic, last}, NULL);
            n++;
        }
    }
    if (r == 0 && n > 0) {
        r = db_exec(tx, &statements[RAISE_HORIZON], (DbValue[]){last, user_id, topic, last}, NULL);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_n = n;
    return 0;
}

static int list_forgotten(const DbRows *rows, Arena *arena, EventTrimmed *trimmed) {
    trimmed->forgotten = arena_alloc(arena, (rows->n_rows + 1) * sizeof(*trimmed->forgotten));
    for (size_t i = 0; i < rows->n_rows; i++) {
        const DbValue *row = db_rows_at(rows, i, 0);
        EventForgotten *forgotten = &trimmed->forgotten[trimmed->n_forgotten];
        if (row[4].integer == IS_TOMBSTONE) {
            forgotten->kind = row[1].bytes.ptr;
            if (uuid_from_str(row[2].bytes, &forgotten->object_id) < 0) {
                return err_trace(-EBADMSG);
            }
            trimmed->n_forgotten++;
        }
    }
    return 0;
}

/* 0 when all are too young, so that those after them are too. */
static int64_t where_to_go_on(const EventTrim *trim, const DbRows *rows) {
    int64_t before_us = MAX(trim->superseded_before_us, trim->removed_before_us);

    if (rows->n_rows < trim->max) {
        return 0;
    }
    for (size_t i = 0; i < rows->n_rows; i++) {
        if (db_rows_at(rows, i, 3)->integer < before_us) {
            return db_rows_at(rows, rows->n_rows - 1, 0)->integer;
        }
    }
    return 0;
}

int event_log_trim(DbTx *tx, const EventTrim *trim, Arena *arena, EventTrimmed *ret_trimmed) {
    EventTrimmed trimmed = {0};
    int64_t last;
    DbRows rows;
    int r;

    if (trim->max < 1 || trim->max > EVENT_READ_MAX) {
        return err_trace(-EINVAL);
    }
    r = last_to_go(tx, trim, arena, &last);
    if (r < 0) {
        return r;
    }
    r = db_query(tx, &statements[CANDIDATES],
                 (DbValue[]){DB_INT(trim->superseded_before_us), DB_INT(trim->removed_before_us),
                             DB_BLOB(uuid_str(&trim->user_id)), DB_TEXT(str_from(trim->topic)),
                             DB_INT(trim->after), DB_INT(last), DB_INT(trim->max)},
                 trim->max, arena, &rows);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    r = list_forgotten(&rows, arena, &trimmed);
    r = r < 0 ? r : remove_events(tx, trim, &rows, &trimmed.n);
    if (r < 0) {
        return r;
    }
    trimmed.next = where_to_go_on(trim, &rows);
    *ret_trimmed = trimmed;
    return 0;
}
