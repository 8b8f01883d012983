/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/photo_index.h"

#include "base/crypto/digest.h"
#include "base/error.h"
#include "services/sync/photo/photo_state.h"

enum {
    PHOTO_GET,
    PHOTO_PUT,
    PHOTO_DROP,
    TERMS_DROP,
    TERMS_ADD,
    PHOTO_FIND,
    TERM_FIND,
    TERMS_FIND,
    TERM_COUNT,
    TERM_NTH,
    TERM_PROBE,
    PHOTO_DUE,
    PHOTO_ROW,
    TERM_ROWS,
    _PHOTO_STATEMENT_MAX,
};

#define ADD_AT_ONCE 28
#define TERM_4      " UNION ALL SELECT ? UNION ALL SELECT ? UNION ALL SELECT ? UNION ALL SELECT ?"
#define TERM_28     TERM_4 TERM_4 TERM_4 TERM_4 TERM_4 TERM_4 TERM_4
#define OBJECT      "o.version, o.seq, o.changed_us, o.state_sealed"
/* CROSS: SQLite is to begin with the left one, which is in order. */
#define WITH_OBJECT(t)                                                                             \
    " CROSS JOIN sync_object o WHERE o.user_id = " t ".user_id AND o.kind = 'photo'"               \
    " AND o.object_id = " t ".photo_id AND o.removed = 0"
/* The rows' comparison says what the columns' does too, but SQLite would begin at the newest. */
#define BETWEEN(t)                                                                                 \
    " AND " t ".sort_us >= ? AND " t ".sort_us <= ? AND (" t ".sort_us, " t ".photo_id) < (?, ?)"  \
    " AND (" t ".sort_us, " t ".photo_id) >= (?, ?)"
#define NEWEST_FIRST(t) BETWEEN(t) " ORDER BY " t ".sort_us DESC, " t ".photo_id DESC LIMIT ?"
/* The limits follow from those of t, but PostgreSQL would not see that. */
#define AND_TERM                                                                                   \
    " AND EXISTS (SELECT 1 FROM sync_term u WHERE u.user_id = t.user_id AND u.term = ?"            \
    " AND u.sort_us >= ? AND u.sort_us <= ?"                                                       \
    " AND u.sort_us = t.sort_us AND u.photo_id = t.photo_id)"

const DbStatement photo_index_statements[_PHOTO_STATEMENT_MAX] = {
    [PHOTO_GET] = {"photo_get",
                   "SELECT terms_hash FROM sync_photo WHERE user_id = ? AND photo_id = ?", 2, 1},
    [PHOTO_PUT] = {"photo_put",
                   "INSERT INTO sync_photo (user_id, photo_id, shelf, sort_us, trashed_us,"
                   " terms_hash) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, photo_id)"
                   " DO UPDATE SET shelf = excluded.shelf, sort_us = excluded.sort_us,"
                   " trashed_us = excluded.trashed_us, terms_hash = excluded.terms_hash",
                   6, 0},
    [PHOTO_DROP] = {"photo_drop", "DELETE FROM sync_photo WHERE user_id = ? AND photo_id = ?", 2,
                    0},
    [TERMS_DROP] = {"terms_drop", "DELETE FROM sync_term WHERE user_id = ? AND photo_id = ?", 2, 0},
    [TERMS_ADD] = {"terms_add",
                   "INSERT INTO sync_term (user_id, term, sort_us, photo_id)"
                   " SELECT p.user_id, v.term, p.sort_us, p.photo_id FROM sync_photo p,"
                   " (SELECT CAST(NULL AS BIGINT) AS term" TERM_28 ") v"
                   " WHERE v.term IS NOT NULL AND p.user_id = ? AND p.photo_id = ?",
                   ADD_AT_ONCE + 2, 0},
    [PHOTO_FIND] = {"photo_find",
                    "SELECT p.sort_us, p.photo_id, " OBJECT " FROM sync_photo p" WITH_OBJECT("p") //
                    " AND p.user_id = ? AND p.shelf = ?" NEWEST_FIRST("p"),
                    9, 6, .by_values = true},
    [TERM_FIND] = {"term_find",
                   "SELECT t.sort_us, t.photo_id, " OBJECT " FROM sync_term t" WITH_OBJECT("t") //
                   " AND t.user_id = ? AND t.term = ?" NEWEST_FIRST("t"),
                   9, 6, .by_values = true},
    [TERMS_FIND] = {"terms_find",
                    "SELECT t.sort_us, t.photo_id, " OBJECT " FROM sync_term t" WITH_OBJECT("t") //
                    " AND t.user_id = ? AND t.term = ?" AND_TERM AND_TERM AND_TERM               //
                        NEWEST_FIRST("t"),
                    18, 6, .by_values = true},
    [TERM_COUNT] = {"term_count",
                    "SELECT count(*) FROM (SELECT 1 FROM sync_term t WHERE t.user_id = ?"
                    " AND t.term = ?" BETWEEN("t") " LIMIT 1000) u",
                    8, 1, .by_values = true},
    [TERM_NTH] = {"term_nth",
                  "SELECT t.sort_us, t.photo_id FROM sync_term t WHERE t.user_id = ?"
                  " AND t.term = ?" NEWEST_FIRST("t") " OFFSET ?",
                  10, 2, .by_values = true},
    [TERM_PROBE] = {"term_probe",
                    "SELECT photo_id FROM sync_term WHERE user_id = ? AND term IN"
                    " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) LIMIT ?",
                    2 + PHOTO_PROBES, 1},
    [PHOTO_DUE] = {"photo_due",
                   "SELECT user_id, photo_id FROM sync_photo WHERE trashed_us IS NOT NULL"
                   " AND trashed_us < ? ORDER BY trashed_us LIMIT ?",
                   2, 2},
    [PHOTO_ROW] = {"photo_row",
                   "SELECT shelf, sort_us, coalesce(trashed_us, 0), terms_hash FROM sync_photo"
                   " WHERE user_id = ? AND photo_id = ?",
                   2, 4},
    /* With "photo_id = ?" SQLite reads all of the user's. */
    [TERM_ROWS] = {"term_rows",
                   "SELECT term, sort_us FROM sync_term WHERE user_id = ? AND photo_id >= ?"
                   " AND photo_id <= ? ORDER BY photo_id, term LIMIT ?",
                   4, 2},
};
const size_t photo_index_statements_len = _PHOTO_STATEMENT_MAX;

static int run(DbTx *tx, int statement, const DbValue *params) {
    int r = db_exec(tx, &photo_index_statements[statement], params, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int drop(DbTx *tx, const DbValue ids[2]) {
    int r = run(tx, TERMS_DROP, ids);

    return r < 0 ? r : run(tx, PHOTO_DROP, ids);
}

static void hash_of(const Terms *terms, int64_t sort_us, int64_t trashed_us,
                    uint8_t ret_hash[DIGEST_LEN]) {
    _cleanup_(buf_done) Buf all = BUF_INIT;

    buf_addf(&all, "%lld/%lld/", (long long)sort_us, (long long)trashed_us);
    buf_add(&all, terms->all, terms->n * sizeof(*terms->all));
    digest_sha256(buf_str(&all), ret_hash);
}

/* All that the tables are to say of a photo. */
typedef struct Entry {
    int64_t sort_us, trashed_us; /* trashed_us 0: it is not */
    Terms terms;
    uint8_t digest[DIGEST_LEN];
    Str hash; /* the digest */
} Entry;

static void entry_of(const Library *library, const json_t *state, Entry *ret_entry) {
    ret_entry->sort_us = photo_sort_us(state);
    ret_entry->trashed_us = photo_trashed_us(state);
    terms_of_photo(library, state, &ret_entry->terms);
    hash_of(&ret_entry->terms, ret_entry->sort_us, ret_entry->trashed_us, ret_entry->digest);
    ret_entry->hash = (Str){(const char *)ret_entry->digest, sizeof(ret_entry->digest)};
}

static int add_terms(DbTx *tx, const DbValue ids[2], const Terms *terms) {
    int r = 0;

    for (size_t at = 0; r == 0 && at < terms->n; at += ADD_AT_ONCE) {
        DbValue params[ADD_AT_ONCE + 2];
        for (size_t i = 0; i < ADD_AT_ONCE; i++) {
            params[i] = at + i < terms->n ? DB_INT(terms->all[at + i]) : DB_NULL;
        }
        params[ADD_AT_ONCE] = ids[0];
        params[ADD_AT_ONCE + 1] = ids[1];
        r = run(tx, TERMS_ADD, params);
    }
    return r;
}

int photo_index_apply(DbTx *tx, const Library *library, const Object *photo) {
    const DbValue ids[2] = {DB_BLOB(uuid_str(&library->key->user_id)),
                            DB_BLOB(uuid_str(&photo->id))};
    const DbValue *row;
    Entry entry;
    int r;

    if (!photo->state) {
        return err_trace(drop(tx, ids));
    }
    entry_of(library, photo->state, &entry);
    r = db_query_one(tx, &photo_index_statements[PHOTO_GET], ids, library->arena, &row);
    if (r < 0 || (r == 0 && str_equal(row[0].bytes, entry.hash))) {
        return err_trace(r);
    }
    r = r == 0 ? run(tx, TERMS_DROP, ids) : 0;
    if (r == 0) {
        r = run(tx, PHOTO_PUT,
                (DbValue[]){ids[0], ids[1], DB_INT(entry.trashed_us != 0), DB_INT(entry.sort_us),
                            entry.trashed_us ? DB_INT(entry.trashed_us) : DB_NULL,
                            DB_BLOB(entry.hash)});
    }
    return r < 0 ? err_trace(r) : err_trace(add_terms(tx, ids, &entry.terms));
}

static bool terms_differ(const Entry *entry, const DbRows *rows) {
    bool differ = rows->n_rows != entry->terms.n;

    for (size_t i = 0; !differ && i < rows->n_rows; i++) {
        const DbValue *row = db_rows_at(rows, i, 0);
        differ = row[0].integer != entry->terms.all[i] || row[1].integer != entry->sort_us;
    }
    return differ;
}

int photo_index_differs(DbTx *tx, const Library *library, const Object *photo, bool *ret_differs) {
    const DbValue id = DB_BLOB(uuid_str(&photo->id));
    const DbValue params[4] = {DB_BLOB(uuid_str(&library->key->user_id)), id, id,
                               DB_INT(TERMS_MAX + 1)};
    const DbValue *row;
    Entry entry;
    DbRows rows;
    int r = db_query_one(tx, &photo_index_statements[PHOTO_ROW], params, library->arena, &row);

    if (r == DB_E_NONE) {
        *ret_differs = true;
        return 0;
    }
    if (r == 0) {
        r = db_query(tx, &photo_index_statements[TERM_ROWS], params, TERMS_MAX + 1, library->arena,
                     &rows);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    entry_of(library, photo->state, &entry);
    *ret_differs = row[0].integer != (entry.trashed_us != 0) || row[1].integer != entry.sort_us ||
                   row[2].integer != entry.trashed_us || !str_equal(row[3].bytes, entry.hash) ||
                   terms_differ(&entry, &rows);
    return 0;
}

#define BETWEEN_PARAMS 6

/* Of BETWEEN; how many they are. */
static size_t add_places(const PhotoQuery *query, DbValue *params) {
    params[0] = DB_INT(query->until.sort_us);
    params[1] = DB_INT(MIN(query->to_us, query->after.sort_us));
    params[2] = DB_INT(query->after.sort_us);
    params[3] = DB_BLOB(uuid_str(&query->after.id));
    params[4] = DB_INT(query->until.sort_us);
    params[5] = DB_BLOB(uuid_str(&query->until.id));
    return BETWEEN_PARAMS;
}

/* With the parameters that all ways have. */
static int find(DbTx *tx, const Library *library, const PhotoQuery *query, size_t max,
                DbRows *ret_rows) {
    DbValue params[1 + 3 * PHOTO_QUERY_TERMS + BETWEEN_PARAMS + 1] = {
        DB_BLOB(uuid_str(&library->key->user_id))};
    size_t n = 1, n_terms = query->n_terms > 1 ? PHOTO_QUERY_TERMS : query->n_terms;
    int statement = n_terms == 0 ? PHOTO_FIND : n_terms == 1 ? TERM_FIND : TERMS_FIND;

    if (n_terms == 0) {
        params[n++] = DB_INT(query->trashed);
    }
    for (size_t i = 0; i < n_terms; i++) {
        params[n++] = DB_INT(query->terms[MIN(i, query->n_terms - 1)]);
        if (i > 0) {
            params[n++] = DB_INT(query->until.sort_us);
            params[n++] = DB_INT(MIN(query->to_us, query->after.sort_us));
        }
    }
    n += add_places(query, params + n);
    params[n++] = DB_INT(max);
    return db_query(tx, &photo_index_statements[statement], params, max, library->arena, ret_rows);
}

int photo_index_find(DbTx *tx, const Library *library, const PhotoQuery *query, size_t max,
                     PhotoRow **ret_rows, size_t *ret_n) {
    DbRows rows;
    PhotoRow *found;
    int r = find(tx, library, query, max, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    found = arena_alloc(library->arena, (rows.n_rows + 1) * sizeof(*found));
    for (size_t i = 0; i < rows.n_rows; i++) {
        const DbValue *row = db_rows_at(&rows, i, 0);
        found[i].place.sort_us = row[0].integer;
        found[i].object = row + 2;
        r = uuid_from_str(row[1].bytes, &found[i].place.id);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_rows = found;
    *ret_n = rows.n_rows;
    return 0;
}

static int count(DbTx *tx, const Library *library, const PhotoQuery *query, int64_t term,
                 int64_t *ret_n) {
    DbValue params[2 + BETWEEN_PARAMS] = {DB_BLOB(uuid_str(&library->key->user_id)), DB_INT(term)};
    const DbValue *row;
    int r;

    add_places(query, params + 2);
    r = db_query_one(tx, &photo_index_statements[TERM_COUNT], params, library->arena, &row);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_n = row[0].integer;
    return 0;
}

int photo_index_rarest_first(DbTx *tx, const Library *library, PhotoQuery *query) {
    int64_t fewest = INT64_MAX;

    for (size_t i = 0; i < query->n_terms; i++) {
        int64_t term = query->terms[i], n;
        int r = count(tx, library, query, term, &n);
        if (r < 0) {
            return err_trace(r);
        }
        if (n < fewest) {
            fewest = n;
            query->terms[i] = query->terms[0];
            query->terms[0] = term;
        }
    }
    return 0;
}

int photo_index_nth(DbTx *tx, const Library *library, const PhotoQuery *query, size_t n,
                    PhotoPlace *ret_place) {
    DbValue params[2 + BETWEEN_PARAMS + 2] = {DB_BLOB(uuid_str(&library->key->user_id)),
                                              DB_INT(query->terms[0])};
    const DbValue *row;
    int r;

    add_places(query, params + 2);
    params[2 + BETWEEN_PARAMS] = DB_INT(1);
    params[3 + BETWEEN_PARAMS] = DB_INT(n - 1);
    r = db_query_one(tx, &photo_index_statements[TERM_NTH], params, library->arena, &row);
    if (r != 0) {
        return r == DB_E_NONE ? PHOTO_INDEX_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    ret_place->sort_us = row[0].integer;
    return err_trace(uuid_from_str(row[1].bytes, &ret_place->id));
}

int photo_index_probe(DbTx *tx, const Library *library, const int64_t terms[PHOTO_PROBES],
                      size_t max, Uuid **ret_ids, size_t *ret_n) {
    DbValue params[2 + PHOTO_PROBES] = {DB_BLOB(uuid_str(&library->key->user_id))};

    for (size_t i = 0; i < PHOTO_PROBES; i++) {
        params[1 + i] = DB_INT(terms[i]);
    }
    params[1 + PHOTO_PROBES] = DB_INT(max);
    return db_query_ids(tx, &photo_index_statements[TERM_PROBE], params, max, library->arena,
                        ret_ids, ret_n);
}

int photo_index_due(DbTx *tx, int64_t before_us, size_t max, Arena *arena, PhotoOwner **ret_due,
                    size_t *ret_n) {
    DbRows rows;
    PhotoOwner *due;
    int r = db_query(tx, &photo_index_statements[PHOTO_DUE],
                     (DbValue[]){DB_INT(before_us), DB_INT(max)}, max, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    due = arena_alloc(arena, (rows.n_rows + 1) * sizeof(*due));
    for (size_t i = 0; i < rows.n_rows; i++) {
        r = uuid_from_str(db_rows_at(&rows, i, 0)->bytes, &due[i].user_id);
        if (r == 0) {
            r = uuid_from_str(db_rows_at(&rows, i, 1)->bytes, &due[i].photo_id);
        }
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_due = due;
    *ret_n = rows.n_rows;
    return 0;
}
