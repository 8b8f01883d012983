/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/erase.h"

#include "base/clock.h"
#include "base/error.h"
#include "core/events/event_log.h"
#include "core/queue/outbox.h"

#define BUDGET_MS 10000 /* then whoever asked says whether to go on */

/* In this order: what others see or do by themselves, then the log, then what was made of it. */
static const ErasedTable first_tables[] = {
    ERASED_TABLE_IN_BATCHES("sync_share", "share_id"),
    ERASED_TABLE_IN_BATCHES("sync_upload", "upload_id"),
    ERASED_TABLE_IN_BATCHES("sync_device", "device_id"),
};
static const ErasedTable last_tables[] = {
    ERASED_TABLE_IN_BATCHES("sync_object", "kind, object_id"),
    ERASED_TABLE_IN_BATCHES("sync_mutation", "mutation_id"),
    ERASED_TABLE_IN_BATCHES("sync_content", "content"),
    ERASED_TABLE_IN_BATCHES("sync_blob", "blob_id"),
    ERASED_TABLE_IN_BATCHES("sync_photo", "photo_id"),
    ERASED_TABLE_IN_BATCHES("sync_ingest", "photo_id"),
    ERASED_TABLE_IN_BATCHES("sync_term", "term, sort_us, photo_id"),
    ERASED_TABLE_IN_BATCHES("sync_edit", "photo_id, edit_id"),
    ERASED_TABLE("sync_usage"),
    ERASED_TABLE("sync_library"),
};

typedef struct ErasedTables {
    const ErasedTable *tables;
    size_t n;
} ErasedTables;

/* How many there are of the event log only the linker knows. */
#define PARTS_MAX 4
static void list_parts(ErasedTables parts[PARTS_MAX]) {
    parts[0] = (ErasedTables){first_tables, ARRAY_LEN(first_tables)};
    parts[1] = (ErasedTables){&queue_outbox_table, 1};
    parts[2] = (ErasedTables){event_log_tables, event_log_tables_len};
    parts[3] = (ErasedTables){last_tables, ARRAY_LEN(last_tables)};
}

int library_erase_check(Db *db, const char **reterr_name) {
    ErasedTables parts[PARTS_MAX];
    int r = 0;

    list_parts(parts);
    for (size_t i = 0; r == 0 && i < PARTS_MAX; i++) {
        r = erased_tables_check(db, parts[i].tables, parts[i].n, reterr_name);
    }
    return err_trace(r);
}

typedef struct Erasing {
    SyncService *service;
    const Uuid *user_id;
    json_t *rows;
    uint64_t until_ms;

    const ErasedTable *table; /* of the transaction, and what it came to */
    uint64_t n;
    bool more;
} Erasing;

static int erase_some(DbTx *tx, void *userdata) {
    Erasing *erasing = userdata;

    return err_trace(
        erased_table_erase(tx, erasing->table, erasing->user_id, &erasing->n, &erasing->more));
}

/* 0, LIBRARY_SERVICE_E_MORE, or a fault. */
static int erase_table(Erasing *erasing, const ErasedTable *table) {
    erasing->table = table;
    do {
        int r;
        if (clock_mono_ms() > erasing->until_ms) {
            return LIBRARY_SERVICE_E_MORE;
        }
        r = db_write(erasing->service->options.db, erase_some, erasing, NULL);
        if (r < 0) {
            return err_trace(r);
        }
        erased_rows_add(erasing->rows, table->name, erasing->n);
    } while (erasing->more);
    return 0;
}

int library_erase(LibraryService *self, const Uuid *user_id, json_t *rows) {
    Erasing erasing = {.service = sync_library_service_owner(self),
                       .user_id = user_id,
                       .rows = rows,
                       .until_ms = clock_mono_ms() + BUDGET_MS};
    ErasedTables parts[PARTS_MAX];
    uint64_t n_jobs;
    int r = 0;

    list_parts(parts);
    for (size_t i = 0; r == 0 && i < PARTS_MAX; i++) {
        for (size_t j = 0; r == 0 && j < parts[i].n; j++) {
            r = erase_table(&erasing, &parts[i].tables[j]);
        }
    }
    if (r == 0) {
        r = queue_erase_user(erasing.service->options.queue, user_id, &n_jobs);
        if (r == 0) {
            erased_rows_add(rows, "queue_job", n_jobs);
        }
    }
    return r < 0 ? err_trace(r) : r;
}
