/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo_add.h"

#include "base/error.h"
#include "core/queue/outbox.h"

enum {
    CONTENT_FIND,
    CONTENT_ADD,
    _PHOTO_ADD_STATEMENT_MAX,
};

const DbStatement photo_add_statements[_PHOTO_ADD_STATEMENT_MAX] = {
    [CONTENT_FIND] = {"content_find",
                      "SELECT photo_id FROM sync_content WHERE user_id = ? AND content = ?", 2, 1},
    [CONTENT_ADD] = {"content_add",
                     "INSERT INTO sync_content (user_id, content, photo_id) VALUES (?, ?, ?)"
                     " ON CONFLICT (user_id, content) DO UPDATE SET photo_id = excluded.photo_id",
                     3, 0},
};
const size_t photo_add_statements_len = _PHOTO_ADD_STATEMENT_MAX;

void photo_content(const UserKey *key, const uint8_t sha256[32],
                   uint8_t ret_content[LIBRARY_HASH_LEN]) {
    library_hash(key, "imagesync/content", (Str){(const char *)sha256, 32}, ret_content);
}

static json_t *state_of(const Library *library, const PhotoDraft *draft) {
    char blob[UUID_TEXT_SIZE];

    uuid_text(&draft->blob_id, blob);
    return json_pack("{s:s,s:s,s:I,s:s,s:s,s:I,s:b,s:[],s:[]}", "name", draft->name, "type",
                     draft->media_type, "size", (json_int_t)draft->size, "blob", blob, "status",
                     "processing", "added", (json_int_t)(library->now_us / 1000), "favourite", 0,
                     "tags", "albums");
}

static int put_job(DbTx *tx, const Library *library, const Uuid *photo_id) {
    QueueJob job = {.id = uuid_new(),
                    .user_id = library->key->user_id,
                    .kind = PHOTO_JOB_INGEST,
                    .lane = QUEUE_PAID_INTERACTIVE,
                    .payload = uuid_str(photo_id)};

    return err_trace(queue_outbox_add(tx, &job));
}

int photo_content_find(DbTx *tx, const Library *library, const uint8_t content[LIBRARY_HASH_LEN],
                       Object *ret_photo) {
    const DbValue params[] = {DB_BLOB(uuid_str(&library->key->user_id)),
                              DB_BLOB(((Str){(const char *)content, LIBRARY_HASH_LEN}))};
    const DbValue *row;
    Uuid id;
    int r = db_query_one(tx, &photo_add_statements[CONTENT_FIND], params, library->arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? PHOTO_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    r = uuid_from_str(row[0].bytes, &id);
    if (r < 0) {
        return err_trace(-EBADMSG);
    }
    r = object_get(tx, library, OBJECT_PHOTO, &id, ret_photo);
    if (r > 0) {
        /* Also when its tombstone has gone with what is old in the log: the content is known as
         * that of a photo which was removed for as long as there is a library. */
        *ret_photo = (Object){.id = id};
        return PHOTO_E_REMOVED;
    }
    return err_trace(r);
}

int photo_add(DbTx *tx, const Library *library, const PhotoDraft *draft, Object *ret_photo) {
    _cleanup_(json_decrefp) json_t *state = state_of(library, draft);
    int r = photo_content_find(tx, library, draft->content, ret_photo);

    if (r <= 0) {
        return r == 0 ? PHOTO_E_KNOWN : err_trace(r);
    }
    r = db_exec(tx, &photo_add_statements[CONTENT_ADD],
                (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)),
                            DB_BLOB(((Str){(const char *)draft->content, sizeof(draft->content)})),
                            DB_BLOB(uuid_str(&draft->id))},
                NULL);
    if (r == 0) {
        r = object_put(tx, library, OBJECT_PHOTO, &draft->id, 0, state, ret_photo);
    }
    if (r == 0) {
        r = put_job(tx, library, &draft->id);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}
