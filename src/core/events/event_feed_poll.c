/* SPDX-License-Identifier: Apache-2.0 */

/* The thread of the feed: what did other processes, or this one, commit? */

#include "core/events/event_feed_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/wait.h"

/* How far back it looks each time, for what was committed later than it read the clock; and now and
 * then, for clocks that differ. */
#define OVERLAP_US      200000LL
#define LONG_OVERLAP_US 10000000LL
#define LONG_EVERY_MS   2000
/* How long it leaves a database alone that could not be asked. */
#define PAUSE_MS 1000

#define PAGE_MAX        1000
#define USERS_MAX       30 /* of a look at heads; their ids are parameters */
#define TOPICS_MAX      32 /* of a user */
#define LOOKS_PER_ROUND 8  /* so that those who wait for others are not held up */

static const DbStatement changed_statement = {
    "event_feed_changed",
    "SELECT user_id, topic, seq, changed_us FROM event_head WHERE changed_us > ?"
    " ORDER BY changed_us LIMIT 1000",
    1, 4};

static const DbStatement heads_statement = {
    "event_feed_heads",
    "SELECT user_id, topic, seq FROM event_head WHERE user_id IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
    " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    USERS_MAX, 3};

int event_feed_check(Db *db) {
    const char *wrong;
    int r = db_check(db, &changed_statement, 1, &wrong);

    r = r < 0 ? r : db_check(db, &heads_statement, 1, &wrong);
    return r < 0 ? err_trace(r) : 0;
}

/* What the thread knows. */
typedef struct Poll {
    EventFeed *feed;
    int64_t newest_us;             /* changed_us of the latest that was seen */
    uint64_t newest_ms;            /* clock_mono_ms() then */
    uint64_t long_ms, backstop_ms; /* clock_mono_ms() of the last time */
    Buf users;                     /* Uuid: whose heads are to be looked at */
    size_t users_done;             /* bytes of them */
} Poll;

typedef struct Query {
    const DbStatement *statement;
    const DbValue *params;
    size_t rows_max;
    Arena *arena;
    DbRows rows;
} Query;

static int query_work(DbTx *tx, void *userdata) {
    Query *query = userdata;
    int r =
        db_query(tx, query->statement, query->params, query->rows_max, query->arena, &query->rows);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int announce_rows(EventFeed *feed, const DbRows *rows) {
    for (size_t i = 0; i < rows->n_rows; i++) {
        const DbValue *row = db_rows_at(rows, i, 0);
        Uuid user_id;
        if (uuid_from_str(row[0].bytes, &user_id) < 0 || row[1].bytes.len > EVENT_NAME_MAX) {
            return err_trace(-EBADMSG);
        }
        event_feed_announce(feed, &user_id, row[1].bytes.ptr, row[2].integer);
    }
    return 0;
}

/* All logs that changed after `from_us`, page by page. */
static int look_at_changes(Poll *poll, int64_t from_us) {
    size_t n = PAGE_MAX;

    while (n == PAGE_MAX) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        DbValue params[] = {DB_INT(from_us)};
        Query query = {&changed_statement, params, PAGE_MAX, arena, {0}};
        int r = db_read(poll->feed->db, NULL, query_work, &query);
        int64_t last_us;
        r = r < 0 ? r : announce_rows(poll->feed, &query.rows);
        if (r < 0) {
            return err_trace(r);
        }
        n = query.rows.n_rows;
        if (n > 0) {
            last_us = db_rows_at(&query.rows, n - 1, 3)->integer;
            if (last_us > poll->newest_us) {
                poll->newest_us = last_us;
                poll->newest_ms = clock_mono_ms();
            }
            /* Others may have changed within the same microsecond as the last. */
            from_us = last_us - 1 > from_us ? last_us - 1 : last_us;
        }
    }
    return 0;
}

static int look_at_heads(Poll *poll) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const Uuid *users = (const Uuid *)(poll->users.data + poll->users_done);
    size_t n = MIN((poll->users.len - poll->users_done) / sizeof(Uuid), (size_t)USERS_MAX);
    DbValue params[USERS_MAX];
    Query query = {&heads_statement, params, (size_t)USERS_MAX * TOPICS_MAX, arena, {0}};
    int r;

    for (size_t i = 0; i < USERS_MAX; i++) {
        params[i] = DB_BLOB(uuid_str(&users[MIN(i, n - 1)]));
    }
    r = db_read(poll->feed->db, NULL, query_work, &query);
    r = r < 0 ? r : announce_rows(poll->feed, &query.rows);
    if (r < 0) {
        return err_trace(r);
    }
    poll->users_done += n * sizeof(Uuid);
    return 0;
}

/* Since when. Once it has been quiet for as long as clocks may differ, what comes is later than all
 * that was seen, and the last burst is not read again and again. */
static int64_t look_since(const Poll *poll, bool is_long) {
    int64_t now_us = poll->feed->now_us();
    uint64_t quiet_ms = clock_mono_ms() - poll->newest_ms;

    if (poll->newest_us <= now_us && quiet_ms > LONG_OVERLAP_US / 1000) {
        return poll->newest_us;
    }
    return MIN(now_us, poll->newest_us) - (is_long ? LONG_OVERLAP_US : OVERLAP_US);
}

static int look(Poll *poll) {
    uint64_t now_ms = clock_mono_ms();
    bool is_long = now_ms - poll->long_ms >= LONG_EVERY_MS;
    int r = look_at_changes(poll, look_since(poll, is_long));

    if (r == 0 && is_long) {
        poll->long_ms = now_ms;
    }
    for (unsigned i = 0; i < LOOKS_PER_ROUND && r == 0 && poll->users_done < poll->users.len; i++) {
        r = look_at_heads(poll);
    }
    if (poll->users_done == poll->users.len) {
        buf_done(&poll->users);
        poll->users_done = 0;
    }
    return r;
}

/* With the lock. Those who have just subscribed; and now and then, or `all`, everybody. */
static void choose_users(Poll *poll, bool all) {
    EventFeed *feed = poll->feed;
    uint64_t now_ms = clock_mono_ms();

    if (all || now_ms - poll->backstop_ms >= feed->backstop_ms) {
        poll->backstop_ms = now_ms;
        buf_done(&poll->users);
        poll->users_done = 0;
        event_feed_users(feed, &poll->users);
    } else if (feed->fresh.len > 0) {
        buf_add(&poll->users, feed->fresh.data, feed->fresh.len);
    }
    buf_done(&feed->fresh);
}

/* With the lock. For so long, or until the end or the first subscription. */
static void pause_for(EventFeed *feed, uint64_t ms) {
    uint64_t until_ms = clock_mono_ms() + ms;

    while (!feed->ending && wait_until(&feed->wake, &feed->lock, until_ms)) {
    }
}

void *event_feed_poll(void *userdata) {
    EventFeed *feed = userdata;
    Poll poll = {.feed = feed,
                 .newest_us = feed->now_us(),
                 .newest_ms = clock_mono_ms(),
                 .backstop_ms = clock_mono_ms()};
    bool failed = false;

    pthread_setname_np(pthread_self(), "event feed");
    pthread_mutex_lock(&feed->lock);
    while (!feed->ending) {
        uint64_t since_ms, took_ms;
        if (feed->n_subscriptions == 0) {
            buf_done(&feed->fresh);
            pthread_cond_wait(&feed->wake, &feed->lock);
            /* What happened before is found in the heads of those who subscribe. */
            poll.newest_us = feed->now_us();
            poll.newest_ms = clock_mono_ms();
            continue;
        }
        /* What was to be looked at when the database failed is among all. */
        choose_users(&poll, failed);
        pthread_mutex_unlock(&feed->lock);
        since_ms = clock_mono_ms();
        failed = look(&poll) < 0;
        took_ms = clock_mono_ms() - since_ms;
        if (failed && feed->failures) {
            metric_add(feed->failures, 1);
        }
        pthread_mutex_lock(&feed->lock);
        /* A database that is slow is not asked more than half of the time. */
        pause_for(feed, failed                        ? PAUSE_MS
                        : took_ms < feed->poll_ms / 2 ? feed->poll_ms - took_ms
                                                      : MAX(took_ms, (uint64_t)feed->poll_ms / 2));
    }
    pthread_mutex_unlock(&feed->lock);
    buf_done(&poll.users);
    return NULL;
}
