/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making exports in the background. One is taken for a while and held with each piece that is
 * written; who has lost it is told by the next. A server that dies leaves one to be taken again,
 * from the beginning, and one that always fails is given up.
 */

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "services/user/audit.h"
#include "services/user/mails.h"
#include "services/user/privacy/export.h"

#define SECOND_US 1000000LL
#define DAY_US    (86400 * SECOND_US)
#define HOLD_US   (60 * SECOND_US)
#define RETRY_US  (20 * SECOND_US) /* after the first failure; then twice as long each time */
#define DUE_MAX   50

enum {
    MAKING_E_LARGE = 100, /* EXPORT_LEN_MAX */
    MAKING_E_ENDING,      /* the server ends, or the chore is another's */
    MAKING_E_GONE,        /* there is no such account any more */
};

typedef struct Making {
    UserService *service;
    Housekeeping *housekeeping;
    Arena *arena;
    Export export;
    Account account;
    Str piece;
    bool alone;
} Making;

static int take(DbTx *tx, void *userdata) {
    Making *making = userdata;

    return export_store_take(tx, &making->export, clock_unix_us() + HOLD_US);
}

static int load_account(DbTx *tx, void *userdata) {
    Making *making = userdata;

    account_done(&making->account);
    return account_store_get(tx, making->service->vault, &making->export.user_id, making->arena,
                             &making->account);
}

static int write_piece(DbTx *tx, void *userdata) {
    Making *making = userdata;
    _cleanup_(arena_freep) Arena *arena = arena_new();

    return export_store_add_part(tx, &making->account.key, &making->export, making->export.n_parts,
                                 making->piece, clock_unix_us() + HOLD_US, arena);
}

static int keep_piece(Str piece, void *userdata) {
    Making *making = userdata;
    int r;

    if (!housekeeping_goes_on(making->housekeeping)) {
        return MAKING_E_ENDING;
    }
    if (making->export.len + (int64_t)piece.len > EXPORT_LEN_MAX) {
        return MAKING_E_LARGE;
    }
    making->piece = piece;
    r = db_write(making->service->options.db, write_piece, making, NULL);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    making->export.len += (int64_t)piece.len;
    making->export.n_parts++;
    return 0;
}

static int begin_file(ZipWriter *archive, const char *name) {
    return zip_writer_begin(
        archive,
        &(ZipFile){.name = name, .at_s = clock_unix_us() / SECOND_US, .size = ZIP_SIZE_UNKNOWN});
}

static int build(Making *making) {
    _cleanup_(zip_writer_freep) ZipWriter *archive =
        zip_writer_new(&(ZipOptions){keep_piece, making, EXPORT_PIECE_LEN, .small = true});
    ExportRun run = {making->service, &making->account, clock_unix_us(), archive};
    int r = 0;

    for (const ExportContent *content = export_contents; content->name && r == 0; content++) {
        r = begin_file(archive, content->name);
        if (r == 0) {
            r = content->write(&run);
        }
    }
    return r == 0 ? zip_writer_end(archive) : r;
}

static int put(DbTx *tx, void *userdata) {
    Making *making = userdata;
    char *id = arena_alloc(making->arena, UUID_TEXT_SIZE);
    const AuditEvent event = {.action = "export.ready", .subject = id};
    int r = export_store_put(tx, &making->export, making->alone);

    uuid_text(&making->export.export_id, id);
    if (r == 0 && making->export.state == EXPORT_READY) {
        r = audit_append(tx, making->service->vault, &making->account.key, clock_unix_us(),
                         making->arena, &event);
    }
    return r < 0 ? err_trace(r) : r;
}

static int drop(DbTx *tx, void *userdata) {
    const Export *export = userdata;

    return err_trace(export_store_remove(tx, &export->user_id, &export->export_id));
}

/* What is to be written after a try, by what became of it. */
static void conclude(Making *making, int r) {
    int64_t now_us = clock_unix_us();
    int64_t keep_us = (int64_t)making->service->options.settings->export_keep_days * DAY_US;
    Export *export = &making->export;

    if (r == 0) {
        export->state = EXPORT_READY;
        export->ready_us = now_us;
        export->due_us = now_us + keep_us;
        making->alone = true;
        return;
    }
    export->len = export->n_parts = 0;
    if (r == MAKING_E_ENDING) {
        export->state = EXPORT_WAITING;
        export->due_us = now_us;
    } else if (r != MAKING_E_LARGE && export->tries < EXPORT_TRIES_MAX) {
        export->state = EXPORT_WAITING;
        export->due_us = now_us + (RETRY_US << (export->tries - 1));
    } else {
        export->state = EXPORT_FAILED;
        export->reason = r == MAKING_E_LARGE ? EXPORT_REASON_TOO_LARGE : EXPORT_REASON_FAULT;
        export->due_us = now_us + keep_us;
    }
}

static void log_failure(const Making *making, int r) {
    char id[UUID_TEXT_SIZE];

    uuid_text(&making->export.export_id, id);
    log_error("export failed", LOG_STR("export", id), LOG_INT("try", making->export.tries),
              LOG_STR("error", r == MAKING_E_LARGE ? "too large" : strerrordesc_np(-r)));
}

static int make_taken(Making *making) {
    Db *db = making->service->options.db;
    int r = db_read(db, NULL, load_account, making);

    if (r == ACCOUNT_E_NONE) {
        return err_trace(db_write(db, drop, &making->export, NULL));
    }
    if (r == 0) {
        making->export.len = making->export.n_parts = 0;
        r = build(making);
    }
    if (r == EXPORT_E_TAKEN) {
        return 0;
    }
    if (r < 0 || r == MAKING_E_LARGE) {
        log_failure(making, r);
    }
    conclude(making, r);
    r = db_write(db, put, making, NULL);
    if (r == 0 && making->export.state == EXPORT_READY) {
        mails_export_ready(making->service, making->account.email);
    }
    return r < 0 ? err_trace(r) : 0;
}

static int make(UserService *service, Housekeeping *housekeeping, const Export *export) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Making making = {
        .service = service, .housekeeping = housekeeping, .arena = arena, .export = *export};
    int r = db_write(service->options.db, take, &making, NULL);

    if (r != 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    making.export.state = EXPORT_RUNNING;
    making.export.tries++;
    r = make_taken(&making);
    account_done(&making.account);
    return err_trace(r);
}

typedef struct Due {
    Arena *arena;
    Export *exports;
    size_t n;
} Due;

static int load_due(DbTx *tx, void *userdata) {
    Due *due = userdata;

    return err_trace(
        export_store_due(tx, clock_unix_us(), DUE_MAX, due->arena, &due->exports, &due->n));
}

int exports_work(UserService *service, Housekeeping *housekeeping) {
    Db *db = service->options.db;
    int r = 0;

    for (;;) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        Due due = {.arena = arena};
        r = db_read(db, NULL, load_due, &due);
        for (size_t i = 0; r == 0 && i < due.n; i++) {
            Export *export = &due.exports[i];
            if (!housekeeping_goes_on(housekeeping)) {
                return 0;
            }
            r = export->state <= EXPORT_RUNNING ? make(service, housekeeping, export)
                                                : db_write(db, drop, export, NULL);
        }
        if (r != 0 || due.n == 0) {
            return err_trace(r);
        }
    }
}
