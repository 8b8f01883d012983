/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/state_store.h"

#include "adapters/db/sqlite/sqlite.h"
#include "base/error.h"

#include <stdio.h>

#define FILES_MAX  ((size_t)4 << 20)
#define PHOTOS_MAX ((size_t)4 << 20)

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS file (path BLOB PRIMARY KEY, size BIGINT NOT NULL,"
    " mtime_ns BIGINT NOT NULL, inode BIGINT NOT NULL, sha256 BLOB, photo TEXT NOT NULL,"
    " name TEXT NOT NULL, version BIGINT NOT NULL, upload TEXT NOT NULL, refused TEXT NOT NULL,"
    " arriving BIGINT NOT NULL, rename_due BIGINT NOT NULL,"
    " ctime_ns BIGINT NOT NULL DEFAULT 0, albums TEXT NOT NULL DEFAULT '',"
    " folder BLOB NOT NULL DEFAULT x'', move_due BIGINT NOT NULL DEFAULT 0,"
    " left_folder BLOB NOT NULL DEFAULT x'') WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS file_photo ON file (photo);"
    "CREATE INDEX IF NOT EXISTS file_renamed ON file (rename_due) WHERE rename_due = 1;"
    "CREATE TABLE IF NOT EXISTS photo (id TEXT PRIMARY KEY, fate TEXT NOT NULL, name TEXT NOT NULL,"
    " size BIGINT NOT NULL, version BIGINT NOT NULL, albums TEXT NOT NULL DEFAULT '') WITHOUT "
    "ROWID;"
    "CREATE INDEX IF NOT EXISTS photo_fate ON photo (fate);"
    "CREATE TABLE IF NOT EXISTS album (id TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;";

/* Of a state from before folders were albums: the library has to be listed anew, and the folders
 * that there are become albums. */
static const char upgrade[] =
    "ALTER TABLE file ADD COLUMN ctime_ns BIGINT NOT NULL DEFAULT 0;"
    "ALTER TABLE file ADD COLUMN albums TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE file ADD COLUMN folder BLOB NOT NULL DEFAULT x'';"
    "ALTER TABLE file ADD COLUMN move_due BIGINT NOT NULL DEFAULT 0;"
    "ALTER TABLE file ADD COLUMN left_folder BLOB NOT NULL DEFAULT x'';"
    "ALTER TABLE photo ADD COLUMN albums TEXT NOT NULL DEFAULT '';"
    "UPDATE file SET move_due = 1 WHERE instr(path, x'2f') > 0;"
    "INSERT OR REPLACE INTO fact (name, value) VALUES ('" STATE_ALBUMS_UNKNOWN "', '1');";

#define FILE_COLUMNS                                                                               \
    "path, size, mtime_ns, inode, sha256, photo, name, version, upload, refused, arriving,"        \
    " rename_due, ctime_ns, albums, folder, move_due, left_folder"
#define FILE_COLUMNS_N 17
#define PHOTO_COLUMNS  "id, fate, name, size, version, albums"

enum {
    FACT,
    FACT_SET,
    FILES,
    FILES_OF,
    FILES_WAITING,
    FILES_RENAMED,
    FILES_MOVED,
    FILE_PUT,
    FILE_REMOVE,
    PHOTO,
    PHOTOS,
    PHOTO_PUT,
    PHOTO_PUT_UNLESS,
    PHOTO_REMOVE,
    ALBUMS,
    ALBUM_PUT,
    ALBUM_REMOVE,
    COUNTS,
    HAS_ALBUMS,
    _STATEMENTS_MAX,
};

static const DbStatement statements[_STATEMENTS_MAX] = {
    [FACT] = {"sync_fact", "SELECT value FROM fact WHERE name = ?", 1, 1},
    [FACT_SET] = {"sync_fact_set", "INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", 2, 0},
    [FILES] = {"sync_files", "SELECT " FILE_COLUMNS " FROM file ORDER BY path", 0, FILE_COLUMNS_N},
    [FILES_OF] = {"sync_files_of", "SELECT " FILE_COLUMNS " FROM file WHERE photo = ?", 1,
                  FILE_COLUMNS_N},
    [FILES_WAITING] = {"sync_files_waiting",
                       "SELECT " FILE_COLUMNS " FROM file WHERE photo = '' AND refused = ''"
                       " AND arriving = 0 AND sha256 IS NOT NULL ORDER BY path",
                       0, FILE_COLUMNS_N},
    [FILES_RENAMED] = {"sync_files_renamed",
                       "SELECT " FILE_COLUMNS " FROM file WHERE rename_due = 1 ORDER BY path", 0,
                       FILE_COLUMNS_N},
    [FILES_MOVED] = {"sync_files_moved",
                     "SELECT " FILE_COLUMNS " FROM file WHERE move_due = 1 AND photo <> ''"
                     " AND refused = '' AND arriving = 0 ORDER BY path",
                     0, FILE_COLUMNS_N},
    [FILE_PUT] = {"sync_file_put",
                  "INSERT OR REPLACE INTO file (" FILE_COLUMNS
                  ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  FILE_COLUMNS_N, 0},
    [FILE_REMOVE] = {"sync_file_remove", "DELETE FROM file WHERE path = ?", 1, 0},
    [PHOTO] = {"sync_photo", "SELECT " PHOTO_COLUMNS " FROM photo WHERE id = ?", 1, 6},
    [PHOTOS] = {"sync_photos", "SELECT " PHOTO_COLUMNS " FROM photo WHERE fate = ? ORDER BY id", 1,
                6},
    [PHOTO_PUT] = {"sync_photo_put",
                   "INSERT OR REPLACE INTO photo (" PHOTO_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?)", 6,
                   0},
    [PHOTO_PUT_UNLESS] = {"sync_photo_put_unless",
                          "INSERT OR REPLACE INTO photo (" PHOTO_COLUMNS
                          ") SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS"
                          " (SELECT 1 FROM file WHERE photo = ?)",
                          7, 0},
    [PHOTO_REMOVE] = {"sync_photo_remove", "DELETE FROM photo WHERE id = ?", 1, 0},
    [COUNTS] = {"sync_counts",
                "SELECT (SELECT count(*) FROM file WHERE photo <> '' AND refused = ''),"
                " (SELECT count(*) FROM file WHERE photo = '' AND refused = ''),"
                " (SELECT count(*) FROM file WHERE refused <> ''),"
                " (SELECT count(*) FROM photo WHERE fate = 'wanted'),"
                " (SELECT count(*) FROM photo WHERE fate IN ('unkept', 'delete')),"
                " (SELECT count(*) FROM photo WHERE fate = 'trashed')",
                0, 6},
    [ALBUMS] = {"sync_albums", "SELECT id, name FROM album ORDER BY id", 0, 2},
    [ALBUM_PUT] = {"sync_album_put", "INSERT OR REPLACE INTO album (id, name) VALUES (?, ?)", 2, 0},
    [ALBUM_REMOVE] = {"sync_album_remove", "DELETE FROM album WHERE id = ?", 1, 0},
    [HAS_ALBUMS] = {"sync_has_albums",
                    "SELECT count(*) FROM pragma_table_info('file') WHERE name = 'albums'", 0, 1},
};

/* A statement that writes, as part of one transaction. */
typedef struct Step {
    int statement;
    DbValue params[FILE_COLUMNS_N];
} Step;

typedef struct Steps {
    const Step *steps;
    size_t n;
} Steps;

static int run_steps(DbTx *tx, void *userdata) {
    const Steps *work = userdata;

    for (size_t i = 0; i < work->n; i++) {
        int r = db_exec(tx, &statements[work->steps[i].statement], work->steps[i].params, NULL);
        if (r != 0) {
            return r < 0 ? r : -EIO;
        }
    }
    return 0;
}

static int write_steps(State *state, const Step *steps, size_t n) {
    return err_trace(db_write(state->db, run_steps, &(Steps){steps, n}, NULL));
}

typedef struct Look {
    int statement;
    const DbValue *params;
    Arena *arena;
    DbRows rows;
} Look;

static int run_look(DbTx *tx, void *userdata) {
    Look *look = userdata;
    int r = db_query(tx, &statements[look->statement], look->params, FILES_MAX, look->arena,
                     &look->rows);
    return r > 0 ? -EIO : r;
}

static int look_at(State *state, Look *look) {
    return err_trace(db_read(state->db, NULL, run_look, look));
}

static int make_tables(DbTx *tx, void *userdata) {
    Arena *arena = userdata;
    const DbValue *row;
    int r = db_script(tx, schema);

    if (r == 0) {
        r = db_query_one(tx, &statements[HAS_ALBUMS], NULL, arena, &row);
    }
    if (r == 0 && row[0].integer == 0) {
        r = db_script(tx, upgrade);
    }
    return r > 0 ? -EIO : r;
}

static int64_t in_ns(struct timespec time) {
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

bool state_file_is(const StateFile *file, const struct stat *found) {
    return found->st_size == file->size && (int64_t)found->st_ino == file->inode &&
           in_ns(found->st_mtim) == file->mtime_ns &&
           (file->ctime_ns == 0 || in_ns(found->st_ctim) == file->ctime_ns);
}

void state_file_renamed(StateFile *file, const struct stat *found) {
    file->ctime_ns = 0;
    if (state_file_is(file, found)) {
        file->ctime_ns = in_ns(found->st_ctim);
    } else {
        file->mtime_ns = -1; /* so that it is looked at */
    }
}

int state_open(const char *path, bool must_exist, Arena *arena, State *ret_state,
               const char **reterr_text) {
    const DbSqliteOptions options = {.path = path, .must_exist = must_exist};
    State state = {0};
    int r = db_sqlite_open(&options, arena, &state.db, reterr_text);

    if (r < 0) {
        if (r == -ENOENT) {
            *reterr_text = arena_printf(arena, "%s is missing", path);
        }
        return r;
    }
    r = db_write(state.db, make_tables, arena, NULL);
    if (r != 0) {
        *reterr_text = arena_printf(arena, "%s: %s", path, strerrordesc_np(r < 0 ? -r : EIO));
        state_done(&state);
        return r < 0 ? r : -EIO;
    }
    *ret_state = state;
    return 0;
}

void state_done(State *state) {
    state->db = db_free(state->db);
}

int state_get(State *state, const char *name, Arena *arena, const char **ret_value) {
    Look look = {FACT, (DbValue[]){DB_TEXT(str_from(name))}, arena, {0}};
    int r = look_at(state, &look);

    if (r == 0) {
        *ret_value =
            look.rows.n_rows > 0 ? arena_strdup(arena, db_rows_at(&look.rows, 0, 0)->bytes) : "";
    }
    return r;
}

int state_set(State *state, const char *name, const char *value) {
    const Step step = {FACT_SET, {DB_TEXT(str_from(name)), DB_TEXT(str_from(value))}};

    return write_steps(state, &step, 1);
}

int state_get_int(State *state, const char *name, int64_t *ret_value) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *text;
    uint64_t value = 0;
    int r = state_get(state, name, arena, &text);

    if (r == 0 && text[0]) {
        r = str_to_u64(str_from(text), &value);
    }
    if (r == 0) {
        *ret_value = (int64_t)value;
    }
    return r;
}

int state_set_int(State *state, const char *name, int64_t value) {
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    return state_set(state, name, text);
}

static const char *text_at(const DbRows *rows, size_t row, unsigned column, Arena *arena) {
    Str text = db_rows_at(rows, row, column)->bytes;

    return text.len > 0 ? arena_strdup(arena, text) : "";
}

/* Never NULL, which is what SQLite gives for no bytes. */
static Str bytes_of(const DbValue *value) {
    return value->bytes.len > 0 ? value->bytes : str_lit("");
}

static StateFile read_file(const DbRows *rows, size_t row, Arena *arena) {
    const DbValue *value = db_rows_at(rows, row, 0);
    StateFile file = {.path = value[0].bytes,
                      .size = value[1].integer,
                      .mtime_ns = value[2].integer,
                      .inode = value[3].integer,
                      .hashed = value[4].bytes.len == DIGEST_LEN,
                      .photo = text_at(rows, row, 5, arena),
                      .name = text_at(rows, row, 6, arena),
                      .version = value[7].integer,
                      .upload = text_at(rows, row, 8, arena),
                      .refused = text_at(rows, row, 9, arena),
                      .arriving = value[10].integer != 0,
                      .rename_due = value[11].integer != 0,
                      .ctime_ns = value[12].integer,
                      .albums = text_at(rows, row, 13, arena),
                      .folder = bytes_of(&value[14]),
                      .move_due = (MoveDue)value[15].integer,
                      .left = bytes_of(&value[16])};
    if (file.hashed) {
        memcpy(file.sha256, value[4].bytes.ptr, DIGEST_LEN);
    }
    return file;
}

static int look_at_files(State *state, Look *look, StateFile **ret_files, size_t *ret_n) {
    StateFile *files;
    int r = look_at(state, look);

    if (r < 0) {
        return r;
    }
    files = arena_alloc(look->arena, (look->rows.n_rows + 1) * sizeof(*files));
    for (size_t i = 0; i < look->rows.n_rows; i++) {
        files[i] = read_file(&look->rows, i, look->arena);
    }
    *ret_files = files;
    *ret_n = look->rows.n_rows;
    return 0;
}

int state_files(State *state, Arena *arena, StateFile **ret_files, size_t *ret_n) {
    return look_at_files(state, &(Look){FILES, NULL, arena, {0}}, ret_files, ret_n);
}

int state_files_of(State *state, const char *photo, Arena *arena, StateFile **ret_files,
                   size_t *ret_n) {
    const DbValue id = DB_TEXT(str_from(photo));

    return look_at_files(state, &(Look){FILES_OF, &id, arena, {0}}, ret_files, ret_n);
}

int state_files_waiting(State *state, Arena *arena, StateFile **ret_files, size_t *ret_n) {
    return look_at_files(state, &(Look){FILES_WAITING, NULL, arena, {0}}, ret_files, ret_n);
}

int state_files_renamed(State *state, Arena *arena, StateFile **ret_files, size_t *ret_n) {
    return look_at_files(state, &(Look){FILES_RENAMED, NULL, arena, {0}}, ret_files, ret_n);
}

static Step put_step(const StateFile *file) {
    Str sha256 = {(const char *)file->sha256, DIGEST_LEN};

    return (Step){
        FILE_PUT,
        {DB_BLOB(file->path), DB_INT(file->size), DB_INT(file->mtime_ns), DB_INT(file->inode),
         file->hashed ? DB_BLOB(sha256) : DB_NULL, DB_TEXT(str_from(file->photo)),
         DB_TEXT(str_from(file->name)), DB_INT(file->version), DB_TEXT(str_from(file->upload)),
         DB_TEXT(str_from(file->refused)), DB_INT(file->arriving), DB_INT(file->rename_due),
         DB_INT(file->ctime_ns), DB_TEXT(str_from(file->albums)), DB_BLOB(file->folder),
         DB_INT(file->move_due), DB_BLOB(file->left)}};
}

int state_files_moved(State *state, Arena *arena, StateFile **ret_files, size_t *ret_n) {
    return look_at_files(state, &(Look){FILES_MOVED, NULL, arena, {0}}, ret_files, ret_n);
}

int state_files_put(State *state, const StateFile *files, size_t n) {
    _cleanup_(freep) Step *steps = NULL;

    if (n == 0) {
        return 0;
    }
    steps = calloc(n, sizeof(*steps));
    if (!steps) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        steps[i] = put_step(&files[i]);
    }
    return write_steps(state, steps, n);
}

int state_file_move(State *state, Str from, const StateFile *to) {
    const Step steps[] = {{FILE_REMOVE, {DB_BLOB(from)}}, put_step(to)};

    return write_steps(state, steps, ARRAY_LEN(steps));
}

int state_file_remove(State *state, Str path) {
    return write_steps(state, &(Step){FILE_REMOVE, {DB_BLOB(path)}}, 1);
}

int state_file_lose(State *state, Str path, const StatePhoto *photo) {
    const Step steps[] = {
        {FILE_REMOVE, {DB_BLOB(path)}},
        {PHOTO_PUT_UNLESS,
         {DB_TEXT(str_from(photo->id)), DB_TEXT(str_from(photo->fate)),
          DB_TEXT(str_from(photo->name)), DB_INT(photo->size), DB_INT(photo->version),
          DB_TEXT(str_from(photo->albums)), DB_TEXT(str_from(photo->id))}},
    };

    return write_steps(state, steps, ARRAY_LEN(steps));
}

int state_file_arrive(State *state, const StateFile *file) {
    const Step steps[] = {put_step(file), {PHOTO_REMOVE, {DB_TEXT(str_from(file->photo))}}};

    return write_steps(state, steps, ARRAY_LEN(steps));
}

static int look_at_photos(State *state, Look *look, StatePhoto **ret_photos, size_t *ret_n) {
    StatePhoto *photos;
    int r = look_at(state, look);

    if (r < 0) {
        return r;
    }
    photos = arena_alloc(look->arena, (look->rows.n_rows + 1) * sizeof(*photos));
    for (size_t i = 0; i < look->rows.n_rows; i++) {
        const DbValue *value = db_rows_at(&look->rows, i, 0);
        photos[i] = (StatePhoto){.id = text_at(&look->rows, i, 0, look->arena),
                                 .fate = text_at(&look->rows, i, 1, look->arena),
                                 .name = text_at(&look->rows, i, 2, look->arena),
                                 .size = value[3].integer,
                                 .version = value[4].integer,
                                 .albums = text_at(&look->rows, i, 5, look->arena)};
    }
    *ret_photos = photos;
    *ret_n = look->rows.n_rows;
    return 0;
}

int state_photo(State *state, const char *id, Arena *arena, const StatePhoto **ret_photo) {
    const DbValue param = DB_TEXT(str_from(id));
    StatePhoto *photos;
    size_t n;
    int r = look_at_photos(state, &(Look){PHOTO, &param, arena, {0}}, &photos, &n);

    if (r == 0) {
        *ret_photo = n > 0 ? photos : NULL;
    }
    return r;
}

int state_photos(State *state, const char *fate, Arena *arena, StatePhoto **ret_photos,
                 size_t *ret_n) {
    const DbValue param = DB_TEXT(str_from(fate));

    return look_at_photos(state, &(Look){PHOTOS, &param, arena, {0}}, ret_photos, ret_n);
}

int state_photo_put(State *state, const StatePhoto *photo) {
    const Step step = {PHOTO_PUT,
                       {DB_TEXT(str_from(photo->id)), DB_TEXT(str_from(photo->fate)),
                        DB_TEXT(str_from(photo->name)), DB_INT(photo->size), DB_INT(photo->version),
                        DB_TEXT(str_from(photo->albums))}};

    return write_steps(state, &step, 1);
}

int state_photo_remove(State *state, const char *id) {
    return write_steps(state, &(Step){PHOTO_REMOVE, {DB_TEXT(str_from(id))}}, 1);
}

int state_albums(State *state, Arena *arena, StateAlbum **ret_albums, size_t *ret_n) {
    Look look = {ALBUMS, NULL, arena, {0}};
    StateAlbum *albums;
    int r = look_at(state, &look);

    if (r < 0) {
        return r;
    }
    albums = arena_alloc(arena, (look.rows.n_rows + 1) * sizeof(*albums));
    for (size_t i = 0; i < look.rows.n_rows; i++) {
        albums[i] =
            (StateAlbum){text_at(&look.rows, i, 0, arena), text_at(&look.rows, i, 1, arena)};
    }
    *ret_albums = albums;
    *ret_n = look.rows.n_rows;
    return 0;
}

int state_album_put(State *state, const StateAlbum *album) {
    return write_steps(
        state, &(Step){ALBUM_PUT, {DB_TEXT(str_from(album->id)), DB_TEXT(str_from(album->name))}},
        1);
}

int state_album_remove(State *state, const char *id) {
    return write_steps(state, &(Step){ALBUM_REMOVE, {DB_TEXT(str_from(id))}}, 1);
}

int state_counts(State *state, StateCounts *ret_counts) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Look look = {COUNTS, NULL, arena, {0}};
    const DbValue *value;
    int r = look_at(state, &look);

    if (r < 0) {
        return r;
    }
    value = db_rows_at(&look.rows, 0, 0);
    *ret_counts = (StateCounts){value[0].integer, value[1].integer, value[2].integer,
                                value[3].integer, value[4].integer, value[5].integer};
    return 0;
}
