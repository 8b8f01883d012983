/* SPDX-License-Identifier: Apache-2.0 */

/* The rounds of a sync, and what is waited for between them. */

#include "app/exit_status.h"
#include "app/sync_dir/account.h"
#include "app/sync_dir/listen.h"
#include "app/sync_dir/sync_dir.h"
#include "base/clock.h"
#include "base/error.h"

#include <poll.h>
#include <stdio.h>

#define ONCE_TRIES_MAX     5    /* while the server is away */
#define ONCE_UNSETTLED_MAX 15   /* rounds that wait for files to be finished */
#define RESCAN_S           3600 /* whatever inotify says */
#define UNWATCHED_S        30   /* where it cannot say it */
#define DEAF_S             20   /* where a server or a proxy lets no stream of changes through */
#define CALM_MS            300  /* after a first event: more are to come */
#define FULL_DISK_S        30

typedef struct Engine {
    SyncDir *sync;
    SyncLink link;
    Listener listener;
    unsigned n_away;
    bool said_away, said_full, said_in_sync, said_unwatched;
} Engine;

/* 0 with sync->scan.n_unsettled; LINK_E_*; SYNC_DIR_E_ACCOUNT; -EINTR; or a fault. */
static int round_trip(Engine *engine) {
    SyncDir *sync = engine->sync;
    const char *error;
    uint32_t wait_ms;
    int r = sync_folder_check(&sync->folder), down;

    sync->again = sync->unlisted = false;
    if (r < 0) {
        return r;
    }
    if (!sync->account_known) {
        r = account_check(sync, &engine->link);
        if (r != 0) {
            return r;
        }
    }
    r = scan_run(&sync->folder, sync->settle_s, &sync->watch, &sync->report, sync->arena,
                 &sync->scan);
    if (r == 0) {
        r = reconcile(sync);
    }
    if (r < 0) {
        return r;
    }
    r = push(sync, &engine->link);
    if (r == 0 && !sync->pull_only) {
        r = push_folders(sync, &engine->link);
    }
    if (r != 0 && (sync->push_only || (r != SYNC_LINK_E_AWAY && r != SYNC_DIR_E_OWN))) {
        return r;
    }
    if (sync->push_only) {
        return look_back(sync, &engine->link);
    }
    error = engine->link.error ? arena_strdup(sync->arena, str_from(engine->link.error)) : NULL;
    wait_ms = engine->link.wait_ms;
    down = pull(sync, &engine->link);
    if (down == 0) { /* what the sending came to is still to be said */
        engine->link.error = error;
        engine->link.wait_ms = MAX(engine->link.wait_ms, wait_ms);
    }
    return down != 0 ? down : r;
}

/* Waits so long at most; -EINTR when it is to stop. 0: something happened, or the time is over. */
static int wait_for(Engine *engine, uint64_t timeout_ms, bool for_files) {
    struct pollfd fds[] = {
        {.fd = engine->sync->stop_fd, .events = POLLIN},
        {.fd = engine->listener.bell_fd, .events = POLLIN},
        {.fd = for_files ? engine->sync->watch.fd : -1, .events = POLLIN},
    };

    poll(fds, ARRAY_LEN(fds), (int)timeout_ms);
    if (fds[0].revents) {
        return -EINTR;
    }
    if (fds[2].revents) {
        poll(fds, 1, CALM_MS);
    }
    listener_take(&engine->listener);
    if (for_files) {
        watch_take(&engine->sync->watch);
    }
    return fds[0].revents ? -EINTR : 0;
}

static void say_away(Engine *engine) {
    if (!engine->said_away) {
        report_note(&engine->sync->report, "%s",
                    engine->link.error ? engine->link.error : "the server is away");
    }
    engine->said_away = true;
}

static uint64_t pause_ms(Engine *engine) {
    return MAX((uint64_t)engine->link.wait_ms, (uint64_t)backoff_ms(engine->n_away));
}

/* Whether files wait until nobody writes to them. */
static bool is_unfinished(SyncDir *sync) {
    return sync->scan.n_unsettled > 0 || sync->again;
}

/* After a round that came to 0 or could not be ended for now: whether there is another, as a result
 * like wait_for()'s, or EXIT_* in *ret_status. */
static bool next_once(Engine *engine, int r, unsigned *n_unsettled, int *ret_status) {
    SyncDir *sync = engine->sync;

    if (r == SYNC_LINK_E_AWAY) {
        say_away(engine);
    }
    if (r == SYNC_LINK_E_AWAY && ++engine->n_away < ONCE_TRIES_MAX) {
        if (wait_for(engine, pause_ms(engine), false) == 0) {
            return true;
        }
        *ret_status = EXIT_INTERRUPTED;
        return false;
    }
    if (r == 0 && is_unfinished(sync) && ++*n_unsettled < ONCE_UNSETTLED_MAX) {
        if (wait_for(engine, (uint64_t)MAX(sync->settle_s, 1u) * 1000, false) == 0) {
            return true;
        }
        *ret_status = EXIT_INTERRUPTED;
        return false;
    }
    if (r == 0 && is_unfinished(sync)) {
        report_note(&sync->report, "some files are still being written: they were left out");
    }
    *ret_status =
        r == 0 && !is_unfinished(sync) && sync->report.failed == 0 ? EXIT_OK : EXIT_SOME_FAILED;
    return false;
}

/* What nobody tells of is found by looking, which is slower: why, and what to do about it. */
static void say_unwatched(Engine *engine) {
    const Watch *watch = &engine->sync->watch;

    if (watch->error != 0 && !engine->said_unwatched) {
        report_note(&engine->sync->report,
                    "not all folders can be watched (%s%s%s): they are looked through every %d s",
                    strerrordesc_np(watch->error), watch->remedy ? "; raise " : "",
                    watch->remedy ? watch->remedy : "", UNWATCHED_S);
    }
    engine->said_unwatched = watch->error != 0;
}

/* When it looks without being told of anything, in milliseconds. */
static uint64_t next_look_ms(Engine *engine) {
    if (atomic_load(&engine->listener.deaf)) {
        return (uint64_t)DEAF_S * 1000;
    }
    return (uint64_t)(engine->sync->watch.error == 0 ? RESCAN_S : UNWATCHED_S) * 1000;
}

static bool next_round(Engine *engine, int r, int *ret_status) {
    SyncDir *sync = engine->sync;
    uint64_t timeout_ms = next_look_ms(engine);

    say_unwatched(engine);
    if (r == SYNC_LINK_E_AWAY) {
        engine->n_away++;
        say_away(engine);
        timeout_ms = pause_ms(engine);
    } else {
        if (engine->said_away) {
            report_note(&sync->report, "it goes on");
        }
        engine->n_away = 0;
        engine->said_away = false;
        if (!is_unfinished(sync) && !engine->said_in_sync) {
            report_calm(&sync->report, "%s is in sync%s: Ctrl-C ends it", sync->folder.path,
                        sync->watch.error == 0 ? ", and watched" : "");
            engine->said_in_sync = true;
        }
        if (is_unfinished(sync)) {
            timeout_ms = (uint64_t)MAX(sync->settle_s, 1u) * 1000;
        }
    }
    if (wait_for(engine, timeout_ms, r != SYNC_LINK_E_AWAY) < 0) {
        *ret_status = EXIT_OK; /* asked to end, and did: there is nothing that was cut short */
        return false;
    }
    return true;
}

/* The disk is full: nothing is lost by waiting until it is not. */
static bool wait_for_disk(Engine *engine, int *ret_status) {
    SyncDir *sync = engine->sync;

    if (!engine->said_full) {
        report_note(&sync->report, "the disk is full: %s",
                    sync->once ? "what is missing comes when there is room again"
                               : "waiting until there is room again");
    }
    engine->said_full = true;
    *ret_status = EXIT_SOME_FAILED;
    if (sync->once) {
        return false;
    }
    *ret_status = EXIT_OK;
    return wait_for(engine, (uint64_t)FULL_DISK_S * 1000, false) == 0;
}

static int give_up(Engine *engine, int r) {
    SyncDir *sync = engine->sync;

    switch (r) {
    case -EINTR:
        return sync->once ? EXIT_INTERRUPTED : EXIT_OK;
    case -ESTALE:
        report_note(&sync->report, "%s is not there any more: perhaps a disk was taken out",
                    sync->folder.path);
        return EXIT_SOME_FAILED;
    case SYNC_LINK_E_SIGNED_OUT:
        report_note(&sync->report, "%s", engine->link.error ? engine->link.error : "signed out");
        return EXIT_SOME_FAILED;
    case SYNC_DIR_E_ACCOUNT:
        report_note(&sync->report, "%s", engine->link.error);
        return EXIT_NO_START;
    default:
        report_note(&sync->report, "%s: %s", sync->folder.path, strerrordesc_np(r < 0 ? -r : EIO));
        return EXIT_SOME_FAILED;
    }
}

static bool go_on(Engine *engine, int r, unsigned *n_unsettled, int *ret_status) {
    if (r == SYNC_DIR_E_OWN) {
        r = SYNC_LINK_E_AWAY;
    }
    if (r == -ENOSPC) {
        return wait_for_disk(engine, ret_status);
    }
    engine->said_full = false;
    if (r != 0 && r != SYNC_LINK_E_AWAY) {
        *ret_status = give_up(engine, r);
        return false;
    }
    return engine->sync->once ? next_once(engine, r, n_unsettled, ret_status)
                              : next_round(engine, r, ret_status);
}

static void note_cursor(Engine *engine) {
    int64_t cursor = 0;

    (void)state_get_int(&engine->sync->state, "cursor", &cursor); /* 0: all of it is told */
    atomic_store(&engine->listener.cursor, cursor);
}

/* After the first round that came to its end: before it, all would be told twice. */
static void start_listening(Engine *engine, int r) {
    SyncDir *sync = engine->sync;

    if (r == 0 && !sync->once && !sync->push_only && !engine->listener.runs &&
        listener_start(&engine->listener, &sync->server) < 0) {
        report_note(&sync->report, "changes are looked for by time only: no thread can be had");
    }
}

int engine_run(SyncDir *sync) {
    Engine engine = {.sync = sync, .listener = {.bell_fd = -1}};
    unsigned n_unsettled = 0;
    int status = EXIT_OK;
    bool more = true;

    sync_link_open(&engine.link, &sync->server);
    pthread_mutex_init(&sync->place_lock, NULL);
    while (more) {
        int r;
        sync->arena = arena_new();
        sync_link_reset(&engine.link);
        r = round_trip(&engine);
        report_due(&sync->report, "", 0);
        note_cursor(&engine);
        start_listening(&engine, r);
        more = go_on(&engine, r, &n_unsettled, &status);
        scan_done(&sync->scan);
        sync->arena = arena_free(sync->arena);
    }
    listener_join(&engine.listener);
    sync_link_close(&engine.link);
    pthread_mutex_destroy(&sync->place_lock);
    return status;
}
