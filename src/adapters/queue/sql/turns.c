/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/queue/sql/turns.h"

#include "adapters/queue/sql/statements.h"
#include "base/clock.h"
#include "base/error.h"

/* After so long what was given is committed, or never will be. */
#define KEPT_MS 50

void turns_init(Turns *turns) {
    *turns = (Turns){0};
    pthread_mutex_init(&turns->lock, NULL);
}

void turns_done(Turns *turns) {
    pthread_mutex_destroy(&turns->lock);
}

static int read_turn(DbTx *tx, int statement, const DbValue *params, Arena *arena,
                     int64_t *ret_turn) {
    const DbValue *row;
    int r = db_query_one(tx, &queue_statements[statement], params, arena, &row);

    if (r == DB_E_NONE) {
        *ret_turn = 0;
        return 0;
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_turn = row[0].integer;
    return 0;
}

int turns_read(DbTx *tx, const Uuid *user_id, const char *kind, int64_t lane, Arena *arena,
               int64_t *ret_turn) {
    DbValue user = DB_BLOB(uuid_str(user_id)), name = DB_TEXT(str_from(kind));
    int64_t head = 0, own = 0;
    int r = read_turn(tx, HEAD_TURN, (DbValue[]){name, DB_INT(lane)}, arena, &head);

    if (r == 0) {
        r = read_turn(tx, USER_TURN, (DbValue[]){user, name, DB_INT(lane)}, arena, &own);
    }
    if (r < 0) {
        return r;
    }
    *ret_turn = MAX(head, own) + 1;
    return 0;
}

/* FNV-1a, which need not resist anybody: a collision costs somebody a turn. */
static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t len) {
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ at[i]) * 0x100000001b3;
    }
    return hash;
}

int64_t turns_give(Turns *turns, const Uuid *user_id, const char *kind, int64_t lane,
                   int64_t least) {
    uint64_t flow = 0xcbf29ce484222325, now = clock_mono_ms();
    int64_t turn = least;
    size_t at;

    flow = add_bytes(flow, user_id->bytes, sizeof(user_id->bytes));
    flow = add_bytes(flow, kind, strlen(kind));
    flow = add_bytes(flow, &lane, sizeof(lane));
    at = (flow >> 32) % TURNS_SIZE;
    pthread_mutex_lock(&turns->lock);
    if (turns->last[at].flow == flow && now - turns->last[at].at_ms < KEPT_MS) {
        turn = MAX(turn, turns->last[at].turn + 1);
    }
    turns->last[at].flow = flow;
    turns->last[at].turn = turn;
    turns->last[at].at_ms = now;
    pthread_mutex_unlock(&turns->lock);
    return turn;
}
