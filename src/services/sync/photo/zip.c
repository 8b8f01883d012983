/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/zip.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/http/stream.h"
#include "base/log.h"
#include "core/archive/zip_writer.h"
#include "services/sync/photo/download.h"
#include "services/sync/photo/photo_index.h"

#define PIECE_LEN ((size_t)256 << 10)

typedef struct Zip {
    SyncService *service;
    UserKey key;
    Uuid *ids;
    size_t n_ids, next;
    bool bare;
    ZipWriter *archive;
    bool ended;

    /* The photo under way; size 0: none. */
    Arena *arena;
    StoredBlob blob;
    Blanks blanks;
    uint64_t at;
    const char *name;
    int64_t taken_s;
    char *piece;
} Zip;

static void zip_done(void *state) {
    Zip *zip = state;

    zip_writer_free(zip->archive);
    stored_blob_done(&zip->blob);
    user_key_done(&zip->key);
    arena_free(zip->arena);
    free(zip->piece);
    free(zip->ids);
    free(zip);
}

static int find_photo(DbTx *tx, void *userdata) {
    Zip *zip = userdata;
    Library library = {.key = &zip->key, .now_us = clock_unix_us(), .arena = zip->arena};
    _cleanup_(object_done) Object photo = {0};
    PhotoFile which = PHOTO_FILE_ORIGINAL;
    const json_t *file;
    const char *name;
    Uuid blob_id;
    int r = object_get(tx, &library, OBJECT_PHOTO, &zip->ids[zip->next], &photo);

    zip->name = NULL;
    if (r != 0 || photo_trashed_us(photo.state) != 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    zip->blanks.n = 0;
    if (zip->bare) {
        which = photo_file_bare(photo.state, &zip->blanks);
    }
    file = photo_file(photo.state, which);
    if (!file) {
        return 0;
    }
    if (!state_uuid(file, "blob", &blob_id)) {
        return err_trace(-EBADMSG);
    }
    r = blob_store_get(tx, &zip->key, &blob_id, zip->arena, &zip->blob);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    name = photo_file_name(photo.state, which, zip->arena);
    zip->name = arena_strdup(zip->arena, str_from(name ? name : "photo"));
    zip->taken_s = photo_local_s(photo.state);
    return 0;
}

/* The next photo's head, or the archive's end. */
static int begin_next(Zip *zip) {
    int r;

    if (zip->next == zip->n_ids) {
        zip->ended = true;
        return err_trace(zip_writer_end(zip->archive));
    }
    arena_free(zip->arena);
    zip->arena = arena_new();
    r = db_read(zip->service->options.db, NULL, find_photo, zip);
    zip->next++;
    if (r < 0 || !zip->name) {
        return err_trace(r);
    }
    zip->at = 0;
    return err_trace(zip_writer_begin(zip->archive, &(ZipFile){.name = zip->name,
                                                               .at_s = zip->taken_s,
                                                               .size = zip->blob.size,
                                                               .stored = true}));
}

static int add_piece(Zip *zip) {
    size_t n = (size_t)MIN((uint64_t)PIECE_LEN, zip->blob.size - zip->at);
    int r = sealed_blob_read(zip->service->options.blobs, str_from(zip->blob.name), zip->blob.key,
                             zip->blob.size, zip->at, zip->piece, n);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    blanks_apply(&zip->blanks, zip->at, zip->piece, n);
    zip->at += n;
    return err_trace(zip_writer_add(zip->archive, (Str){zip->piece, n}));
}

static int read_zip(void *state, uint64_t offset, void *bytes, size_t max, size_t *ret_n) {
    Zip *zip = state;
    int r = 0;

    (void)offset; /* in order */
    *ret_n = zip_writer_take(zip->archive, bytes, max);
    while (r == 0 && *ret_n == 0 && !zip->ended) {
        r = zip->at < zip->blob.size ? add_piece(zip) : begin_next(zip);
        *ret_n = zip_writer_take(zip->archive, bytes, max);
    }
    if (r < 0) {
        log_error("an archive of photos was broken off", LOG_STR("error", strerrordesc_np(-r)));
        return err_trace(r);
    }
    return 0;
}

void zip_respond(HttpRequest *request, SyncService *service, const UserKey *key,
                 const ZipPhotos *photos) {
    Arena *arena = http_request_arena(request);
    const HttpHeader headers[] = {
        {"Cache-Control", "no-store"},
        {"X-Robots-Tag", "noindex, nofollow"},
        {"Content-Disposition", content_disposition("attachment", photos->archive_name, arena)},
        {0}};
    const HttpResponse head = {
        .status = 200, .content_type = "application/zip", .headers = headers};
    Zip *zip = calloc(1, sizeof(*zip));

    if (!zip) {
        abort();
    }
    *zip = (Zip){.service = service,
                 .key = *key,
                 .ids = photos->ids,
                 .n_ids = photos->n_ids,
                 .bare = photos->bare,
                 .archive = zip_writer_new(&(ZipOptions){.distinct = true}),
                 .arena = arena_new(),
                 .piece = malloc(PIECE_LEN)};
    if (!zip->piece) {
        abort(); /* nothing but exhausted memory */
    }
    http_respond_reader(request, &head, HTTP_LEN_UNKNOWN,
                        &(HttpReader){.read = read_zip,
                                      .done = zip_done,
                                      .state = zip,
                                      .executor = service->options.upload_executor});
}

int zip_album_ids(DbTx *tx, const Library *library, const Uuid *album_id, Uuid **ret_ids,
                  size_t *ret_n) {
    PhotoQuery query = {.after = {.sort_us = INT64_MAX},
                        .until = {.sort_us = INT64_MIN},
                        .to_us = INT64_MAX,
                        .n_terms = 1,
                        .terms = {term_of(library->key, false, TERM_ALBUM, uuid_str(album_id))}};
    _cleanup_(freep) Uuid *ids = NULL;
    size_t n = 0, n_rows;

    memset(query.after.id.bytes, 0xFF, sizeof(query.after.id.bytes));
    do {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        Library page = *library;
        PhotoRow *rows;
        page.arena = arena;
        int r = photo_index_find(tx, &page, &query, PHOTOS_READ_MAX, &rows, &n_rows);
        if (r < 0) {
            return err_trace(r);
        }
        Uuid *more = realloc(ids, (n + n_rows + 1) * sizeof(*ids));
        if (!more) {
            abort();
        }
        ids = more;
        for (size_t i = 0; i < n_rows; i++) {
            ids[n++] = rows[i].place.id;
            query.after = rows[i].place;
        }
    } while (n_rows == PHOTOS_READ_MAX && n <= ZIP_PHOTOS_MAX);
    if (n > ZIP_PHOTOS_MAX) {
        return ZIP_E_TOO_MANY;
    }
    *ret_ids = TAKE_PTR(ids);
    *ret_n = n;
    return 0;
}

static bool has_id(const Uuid *ids, size_t n, const Uuid *id) {
    for (size_t i = 0; i < n; i++) {
        if (uuid_equal(&ids[i], id)) {
            return true;
        }
    }
    return false;
}

static bool read_id(const json_t *list, size_t i, Uuid *ret_id) {
    const char *text = json_string_value(json_array_get(list, i));

    return text && uuid_parse(str_from(text), ret_id) == 0;
}

bool zip_picked_valid(const json_t *list) {
    bool good = json_is_array(list) && json_array_size(list) >= 1 &&
                json_array_size(list) <= ZIP_PICKED_MAX;
    Uuid id;

    for (size_t i = 0; good && i < json_array_size(list); i++) {
        good = read_id(list, i, &id);
    }
    return good;
}

static int add_half(DbTx *tx, const Library *library, Uuid *ids, size_t *n) {
    _cleanup_(object_done) Object photo = {0};
    Uuid half;
    int r = object_get(tx, library, OBJECT_PHOTO, &ids[*n - 1], &photo);

    if (r == 0 && state_uuid(photo.state, "pair", &half) && !has_id(ids, *n, &half)) {
        ids[(*n)++] = half;
    }
    return r < 0 ? err_trace(r) : 0;
}

int zip_picked_ids(DbTx *tx, const Library *library, const json_t *list, Uuid **ret_ids,
                   size_t *ret_n) {
    _cleanup_(freep) Uuid *ids = calloc(2 * json_array_size(list) + 1, sizeof(*ids));
    size_t n = 0;

    if (!ids) {
        abort();
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        Uuid id;
        int r = 0;
        if (read_id(list, i, &id) && !has_id(ids, n, &id)) {
            ids[n++] = id;
            r = add_half(tx, library, ids, &n);
        }
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_ids = TAKE_PTR(ids);
    *ret_n = n;
    return 0;
}
