/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/orphans.h"

#include "base/clock.h"
#include "base/error.h"
#include "services/sync/blob_store.h"

#define PAGE         900 /* names that are listed at once: a multiple of NAMES */
#define NAMES        30  /* that the database is asked for at once */
#define SUSPECTS_MAX 20000
#define SECOND_US    1000000LL
#define APART_S_MAX  600u /* two looks are at least so far apart, or the time of grace */

enum {
    NAMES_OF_UPLOADS,
    NAMES_OF_BLOBS,
    _ORPHAN_STATEMENT_MAX,
};

#define TEN "?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

const DbStatement orphan_statements[_ORPHAN_STATEMENT_MAX] = {
    [NAMES_OF_UPLOADS] = {"names_of_uploads",
                          "SELECT blob_name FROM sync_upload WHERE blob_name IN (" TEN ", " TEN
                          ", " TEN ")",
                          NAMES, 1},
    [NAMES_OF_BLOBS] = {"names_of_blobs",
                        "SELECT name FROM sync_blob WHERE name IN (" TEN ", " TEN ", " TEN ")",
                        NAMES, 1},
};
const size_t orphan_statements_len = _ORPHAN_STATEMENT_MAX;

typedef struct Suspect {
    char name[BLOB_NAME_LEN_MAX + 1];
    uint64_t since_ms; /* of the monotonic clock */
} Suspect;

typedef struct Suspects {
    Suspect *all; /* in the order of their names */
    size_t n;
} Suspects;

struct Orphans {
    Suspects of[2]; /* by area */
};

Orphans *orphans_new(void) {
    Orphans *orphans = calloc(1, sizeof(*orphans));

    if (!orphans) {
        abort();
    }
    return orphans;
}

Orphans *orphans_free(Orphans *orphans) {
    if (orphans) {
        free(orphans->of[0].all);
        free(orphans->of[1].all);
        free(orphans);
    }
    return NULL;
}

static int compare(const void *a, const void *b) {
    return strcmp(((const Suspect *)a)->name, ((const Suspect *)b)->name);
}

typedef struct Look {
    SyncService *service;
    BlobArea area;
    Arena *arena; /* of a page */
    const BlobEntry *entries;
    size_t n;
    bool *owned; /* of each entry */
    Suspects before, now;
    size_t n_removed;
} Look;

static void mark(Look *look, size_t first, size_t n, const DbRows *rows) {
    for (size_t row = 0; row < rows->n_rows; row++) {
        Str name = db_rows_at(rows, row, 0)->bytes;
        for (size_t i = first; i < first + n; i++) {
            look->owned[i] |= str_equal(look->entries[i].name, name);
        }
    }
}

static int find_owners(DbTx *tx, void *userdata) {
    Look *look = userdata;

    memset(look->owned, 0, look->n * sizeof(*look->owned));
    for (size_t first = 0; first < look->n; first += NAMES) {
        size_t n = MIN(look->n - first, NAMES);
        DbValue params[NAMES];
        for (size_t i = 0; i < NAMES; i++) {
            params[i] = DB_TEXT(look->entries[first + MIN(i, n - 1)].name);
        }
        for (size_t statement = 0; statement < _ORPHAN_STATEMENT_MAX; statement++) {
            DbRows rows;
            int r = db_query(tx, &orphan_statements[statement], params, (size_t)4 * NAMES,
                             look->arena, &rows);
            if (r != 0) {
                return err_trace(r < 0 ? r : -EIO);
            }
            mark(look, first, n, &rows);
        }
    }
    return 0;
}

int orphans_is_uploads(DbTx *tx, Str name, Arena *arena, bool *ret_is) {
    DbValue params[NAMES];
    DbRows rows;
    int r;

    for (size_t i = 0; i < NAMES; i++) {
        params[i] = DB_TEXT(name);
    }
    r = db_query(tx, &orphan_statements[NAMES_OF_UPLOADS], params, NAMES, arena, &rows);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_is = rows.n_rows > 0;
    return 0;
}

static uint64_t suspected_since(const Look *look, const Suspect *suspect, uint64_t now_ms) {
    const Suspect *known = look->before.n > 0 ? bsearch(suspect, look->before.all, look->before.n,
                                                        sizeof(*suspect), compare)
                                              : NULL;

    return known ? known->since_ms : now_ms;
}

static int remove_one(Look *look, Str name) {
    Blobs *blobs = look->service->options.blobs;

    look->n_removed++;
    return err_trace(look->area == BLOB_AREA_BLOBS ? blobs_remove(blobs, name)
                                                   : blobs_stage_remove(blobs, name));
}

/* It has no row: removed when it is due, else remembered. */
static int judge(Look *look, const BlobEntry *entry) {
    uint64_t grace_s = look->service->options.settings->blob_grace_s, now_ms = clock_mono_ms();
    Suspect suspect = {0};

    memcpy(suspect.name, entry->name.ptr, entry->name.len);
    suspect.since_ms = suspected_since(look, &suspect, now_ms);
    if (now_ms - suspect.since_ms >= MIN(grace_s, APART_S_MAX) * 1000 &&
        entry->changed_us <= clock_unix_us() - (int64_t)grace_s * SECOND_US) {
        return remove_one(look, entry->name);
    }
    if (look->now.n < SUSPECTS_MAX) {
        look->now.all[look->now.n++] = suspect;
    }
    return 0;
}

static int look_at_page(Look *look) {
    int r = db_read(look->service->options.db, NULL, find_owners, look);

    for (size_t i = 0; r == 0 && i < look->n; i++) {
        if (!look->owned[i] && look->entries[i].name.len <= BLOB_NAME_LEN_MAX) {
            r = judge(look, &look->entries[i]);
        }
    }
    return err_trace(r);
}

static int look_through(Look *look, OrphansGoOn *goes_on, void *userdata) {
    char after[BLOB_NAME_LEN_MAX + 1] = "";
    int r = 0;

    do {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        BlobEntry *entries;
        Str last;
        r = blobs_list(look->service->options.blobs, look->area, str_from(after), PAGE, arena,
                       &entries, &look->n);
        if (r != 0 || look->n == 0) {
            return err_trace(r > 0 ? -EIO : r);
        }
        look->arena = arena;
        look->entries = entries;
        look->owned = arena_alloc(arena, look->n * sizeof(*look->owned));
        r = look_at_page(look);
        last = entries[look->n - 1].name;
        memcpy(after, last.ptr, MIN(last.len, BLOB_NAME_LEN_MAX));
        after[MIN(last.len, BLOB_NAME_LEN_MAX)] = '\0';
    } while (r == 0 && look->n == PAGE && goes_on(userdata));
    return err_trace(r);
}

int orphans_look(Orphans *orphans, SyncService *service, BlobArea area, OrphansGoOn *goes_on,
                 void *userdata, size_t *ret_n_removed) {
    Suspects *kept = &orphans->of[area == BLOB_AREA_STAGES];
    Look look = {.service = service, .area = area, .before = *kept};
    int r;

    look.now.all = calloc(SUSPECTS_MAX, sizeof(*look.now.all));
    if (!look.now.all) {
        abort();
    }
    r = look_through(&look, goes_on, userdata);
    free(kept->all);
    *kept = look.now;
    *ret_n_removed = look.n_removed;
    return err_trace(r);
}
