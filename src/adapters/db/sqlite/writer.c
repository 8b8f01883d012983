/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Group commit. Works take turns, first come first served, each on its caller's thread and in a
 * savepoint. Whoever ends while others wait hands the open transaction to the next and waits;
 * whoever ends while nobody waits (or when the group is large or old enough) commits for all, with
 * one fsync. So a lone writer commits at once, and under load a commit takes along all that came
 * during the one before.
 *
 * A work sees what earlier works of its group wrote, which is not on disk yet. Therefore even one
 * that is rolled back waits for the group's end: what it answers may rest on what it saw.
 */

#include "adapters/db/sqlite/writer.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/wait.h"

#include <assert.h>

/* The first of a group waits this long at most, however many come. */
#define GROUP_MAX    64
#define GROUP_AGE_US 20000
#define TRIES_MAX    5

/* A caller that waits for its turn; on its stack. */
struct Turn {
    Turn *next;
    pthread_t owner;
    pthread_cond_t given;
    bool is_given;
};

/* Works in one transaction. */
struct Group {
    pthread_cond_t ended;
    unsigned n_works;   /* that joined */
    unsigned n_waiting; /* for its end; the last to leave frees it */
    uint64_t first_done_us;
    bool has_ended;
    int result; /* 0: committed, -EAGAIN: gone through no fault of a work that ended well, a fault
                 */
};

int writer_init(Writer *writer, Connection *connection, uint32_t wait_timeout_ms) {
    int r;

    *writer = (Writer){.wait_timeout_ms = wait_timeout_ms};
    r = -pthread_mutex_init(&writer->lock, NULL);
    if (r == 0) {
        writer->connection = connection;
    }
    return r;
}

void writer_done(Writer *writer) {
    if (writer->connection) {
        assert(!writer->taken && !writer->group);
        connection_free(writer->connection);
        pthread_mutex_destroy(&writer->lock);
    }
}

static void enqueue(Writer *writer, Turn *turn) {
    if (writer->last) {
        writer->last->next = turn;
    } else {
        writer->first = turn;
    }
    writer->last = turn;
}

static void leave_queue(Writer *writer, const Turn *turn) {
    Turn *before = NULL;

    for (Turn *at = writer->first; at != turn; at = at->next) {
        before = at;
    }
    if (before) {
        before->next = turn->next;
    } else {
        writer->first = turn->next;
    }
    if (writer->last == turn) {
        writer->last = before;
    }
}

/* With the lock, like all below that take a turn, give it or look at the queue. */
static int take_turn(Writer *writer) {
    uint64_t until_ms = clock_mono_ms() + writer->wait_timeout_ms;
    Turn turn = {.owner = pthread_self()};

    /* A work that writes in another transaction of the same Db would wait for itself. */
    assert(!writer->taken || !pthread_equal(writer->owner, pthread_self()));
    if (writer->taken) {
        pthread_cond_init(&turn.given, NULL);
        enqueue(writer, &turn);
        while (!turn.is_given && wait_until(&turn.given, &writer->lock, until_ms)) {
        }
        if (!turn.is_given) {
            leave_queue(writer, &turn);
        }
        pthread_cond_destroy(&turn.given);
        return turn.is_given ? 0 : -EBUSY;
    }
    writer->taken = true;
    writer->owner = turn.owner;
    return 0;
}

static void give_turn(Writer *writer) {
    Turn *next = writer->first;

    if (!next) {
        writer->taken = false;
        return;
    }
    leave_queue(writer, next);
    writer->owner = next->owner;
    next->is_given = true;
    pthread_cond_signal(&next->given);
}

/* Joins the open group or begins one. The caller has the turn and not the lock. */
static int join_group(Writer *writer, Group **ret_group) {
    Group *group = writer->group;
    int r;

    if (!group) {
        group = calloc(1, sizeof(*group));
        if (!group) {
            return -ENOMEM;
        }
        r = connection_run(writer->connection, "BEGIN IMMEDIATE");
        if (r < 0) {
            free(group);
            return r;
        }
        pthread_cond_init(&group->ended, NULL);
        writer->group = group;
    }
    group->n_works++;
    *ret_group = group;
    return 0;
}

/*
 * Runs the work in a savepoint; *ret_lost when the whole transaction is gone with it, as after a
 * full disk.
 */
static int run_work(const Writer *writer, const DbImpl *impl, DbWork *work, void *userdata,
                    bool *ret_lost) {
    Connection *connection = writer->connection;
    int kept, r;

    r = connection_run(connection, "SAVEPOINT work");
    if (r == 0) {
        r = sqlite_tx_run(impl, connection, work, userdata);
        if (connection_in_transaction(connection)) {
            kept = connection_run(connection,
                                  r == 0 ? "RELEASE work" : "ROLLBACK TO work; RELEASE work");
            if (kept != 0) { /* what is half undone must not be kept */
                connection_run(connection, "ROLLBACK");
                r = r == 0 ? kept : r;
            }
        } else if (r == 0) {
            r = -ECANCELED;
        }
    }
    *ret_lost = !connection_in_transaction(connection);
    return r;
}

static int commit(Connection *connection) {
    int r = connection_run(connection, "COMMIT");

    if (r != 0) {
        if (connection_in_transaction(connection)) {
            connection_run(connection, "ROLLBACK");
        }
        /* The log may hold all of it or not: the next start shows. */
        return r == -EIO ? -EREMOTEIO : r;
    }
    return 0;
}

/* Ends the work's part: passes the transaction on, or ends it. Returns how it ended. */
static int leave_group(Writer *writer, Group *group, bool lost) {
    int result = 0;

    pthread_mutex_lock(&writer->lock);
    if (group->n_waiting++ == 0) {
        group->first_done_us = clock_mono_us();
    }
    if (!lost && writer->first && group->n_works < GROUP_MAX &&
        clock_mono_us() - group->first_done_us < GROUP_AGE_US) {
        give_turn(writer);
        while (!group->has_ended) {
            pthread_cond_wait(&group->ended, &writer->lock);
        }
    } else {
        writer->group = NULL;
        pthread_mutex_unlock(&writer->lock);
        result = lost ? -EAGAIN : commit(writer->connection);
        pthread_mutex_lock(&writer->lock);
        group->result = result;
        group->has_ended = true;
        pthread_cond_broadcast(&group->ended);
        give_turn(writer);
    }
    result = group->result;
    if (--group->n_waiting == 0) {
        pthread_cond_destroy(&group->ended);
        free(group);
    }
    pthread_mutex_unlock(&writer->lock);
    return result;
}

/* *ret_again: the transaction was lost by another work, and this one has to be run again. */
static int write_once(Writer *writer, const DbImpl *impl, DbWork *work, void *userdata,
                      bool *ret_again) {
    Group *group = NULL;
    bool lost = false;
    int r, ended;

    *ret_again = false;
    pthread_mutex_lock(&writer->lock);
    r = take_turn(writer);
    pthread_mutex_unlock(&writer->lock);
    if (r < 0) {
        return r;
    }
    r = join_group(writer, &group);
    if (r < 0) {
        pthread_mutex_lock(&writer->lock);
        give_turn(writer);
        pthread_mutex_unlock(&writer->lock);
        return r;
    }
    r = run_work(writer, impl, work, userdata, &lost);
    ended = leave_group(writer, group, lost);
    if (lost || ended == 0) {
        return r;
    }
    *ret_again = ended == -EAGAIN;
    return ended;
}

int writer_write(Writer *writer, const DbImpl *impl, DbWork *work, void *userdata) {
    bool again = true;
    int r = -EBUSY;

    for (unsigned i = 0; i < TRIES_MAX && again; i++) {
        r = write_once(writer, impl, work, userdata, &again);
    }
    r = again ? -EBUSY : r;
    return r < 0 ? err_trace(r) : r;
}
