/* SPDX-License-Identifier: Apache-2.0 */

/* Who relays which shard. */

#include "core/events/relay_private.h"

#include "base/clock.h"
#include "base/error.h"

/* A lease from so far ahead was made before the clock was set back. */
#define SKEW_US (60LL * 1000000)

enum {
    SEED,
    TAKE,
    KEEP,
    GIVE,
    _STATEMENTS_MAX,
};

static const DbStatement statements[_STATEMENTS_MAX] = {
    [SEED] = {"event_relay_seed",
              "INSERT INTO event_relay (shard, holder, until_us) VALUES (?, '', 0)"
              " ON CONFLICT DO NOTHING",
              1, 0},
    [TAKE] = {"event_relay_take",
              "UPDATE event_relay SET holder = ?, until_us = ? WHERE holder = ? OR until_us <= ?"
              " OR until_us > ? RETURNING shard",
              5, 1},
    [KEEP] = {"event_relay_keep",
              "UPDATE event_relay SET until_us = ? WHERE shard = ? AND holder = ?", 3, 0},
    [GIVE] = {"event_relay_give",
              "UPDATE event_relay SET holder = '', until_us = 0 WHERE holder = ?", 1, 0},
};

static int seed_work(DbTx *tx, void *userdata) {
    int r = 0;

    (void)userdata;
    for (int shard = 0; shard < EVENT_SHARDS && r == 0; shard++) {
        r = db_exec(tx, &statements[SEED], (DbValue[]){DB_INT(shard)}, NULL);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int relay_lease_check(Db *db) {
    const char *wrong;
    int r = db_check(db, statements, _STATEMENTS_MAX, &wrong);

    r = r < 0 ? r : db_write(db, seed_work, NULL, NULL);
    return r < 0 ? err_trace(r) : 0;
}

static int64_t until_us(const EventRelay *relay) {
    return relay->now_us() + (int64_t)relay->lease_ms * 1000;
}

typedef struct Taking {
    const EventRelay *relay;
    uint32_t held;
} Taking;

static int take_work(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Taking *taking = userdata;
    const DbValue holder = DB_TEXT(str_from(taking->relay->holder));
    int64_t now_us = taking->relay->now_us(), end_us = until_us(taking->relay);
    DbRows rows;
    int r = db_query(
        tx, &statements[TAKE],
        (DbValue[]){holder, DB_INT(end_us), holder, DB_INT(now_us), DB_INT(end_us + SKEW_US)},
        EVENT_SHARDS, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    taking->held = 0;
    for (size_t i = 0; i < rows.n_rows; i++) {
        int64_t shard = db_rows_at(&rows, i, 0)->integer;
        taking->held |= shard >= 0 && shard < EVENT_SHARDS ? 1u << shard : 0;
    }
    return 0;
}

int relay_lease_take(EventRelay *relay) {
    uint64_t since_ms = clock_mono_ms();
    Taking taking = {.relay = relay};
    int r = db_write(relay->db, take_work, &taking, NULL);

    if (r < 0) {
        return err_trace(r);
    }
    relay->held = taking.held;
    relay->leased_ms = since_ms;
    return 0;
}

int relay_lease_keep(EventRelay *relay, DbTx *tx, unsigned shard) {
    uint64_t changed = 0;
    int r = db_exec(
        tx, &statements[KEEP],
        (DbValue[]){DB_INT(until_us(relay)), DB_INT(shard), DB_TEXT(str_from(relay->holder))},
        &changed);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    return changed == 1 ? 0 : DB_E_NONE;
}

static int give_work(DbTx *tx, void *userdata) {
    const EventRelay *relay = userdata;
    int r = db_exec(tx, &statements[GIVE], (DbValue[]){DB_TEXT(str_from(relay->holder))}, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

void relay_lease_give(EventRelay *relay) {
    /* If that fails they lapse. */
    (void)db_write(relay->db, give_work, relay, NULL);
    relay->held = 0;
}
