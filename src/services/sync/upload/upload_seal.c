/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/upload_seal.h"

#include "base/crypto/secret.h"
#include "base/error.h"
#include "base/json.h"

static const char key_column[] = "sync_upload.key";
static const char about_column[] = "sync_upload.about";
static const char progress_column[] = "sync_upload.progress";

#define AT(member) offsetof(UploadAbout, member)

static const JsonField about_fields[] = {
    {"metadata", JSON_FIELD_STR, AT(metadata), .max = 16384},
    {"concat", JSON_FIELD_STR, AT(concat), .max = 16384},
    {"name", JSON_FIELD_STR, AT(name), .required = true},
    {"pair", JSON_FIELD_STR, AT(pair)},
    {"skip_deleted", JSON_FIELD_BOOL, AT(skip_deleted), .required = true},
    {0},
};

static int open_column(const UserKey *key, const char *column, const Uuid *id, Str sealed,
                       Arena *arena, Str *ret_value) {
    int r = column_open(key, column, uuid_str(id), sealed, arena, ret_value);

    return r == COLUMN_E_BROKEN ? err_trace(-EBADMSG) : err_trace(r);
}

Str upload_seal_key(const UserKey *key, const Uuid *id, Str blob_key, Arena *arena) {
    return column_seal(key, key_column, uuid_str(id), blob_key, arena);
}

int upload_open_key(const UserKey *key, const Uuid *id, Str sealed, Arena *arena,
                    uint8_t ret_blob_key[AEAD_KEY_LEN]) {
    Str value;
    int r = open_column(key, key_column, id, sealed, arena, &value);

    if (r == 0 && value.len != AEAD_KEY_LEN) {
        r = -EBADMSG;
    }
    if (r == 0) {
        memcpy(ret_blob_key, value.ptr, AEAD_KEY_LEN);
        secret_wipe((void *)value.ptr, value.len);
    }
    return err_trace(r);
}

Str upload_seal_about(const UserKey *key, const Uuid *id, const UploadAbout *about, Arena *arena) {
    _cleanup_(json_decrefp) json_t *json = json_write(about_fields, about);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);

    return column_seal(key, about_column, uuid_str(id), str_from(text), arena);
}

int upload_open_about(const UserKey *key, const Uuid *id, Str sealed, Arena *arena,
                      UploadAbout *ret_about) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    const char *where;
    Str text;
    int r = open_column(key, about_column, id, sealed, arena, &text);

    if (r < 0) {
        return err_trace(r);
    }
    json = json_loadb(text.ptr, text.len, 0, NULL);
    return json && json_read(json, about_fields, arena, ret_about, &where) == 0
               ? 0
               : err_trace(-EBADMSG);
}

/* The hash, the length of the head, the head, the tail. */
#define HEAD_AT (RUNNING_DIGEST_STATE_LEN + 2)

Str upload_seal_progress(const UserKey *key, const Uuid *id, const UploadProgress *progress,
                         Arena *arena) {
    size_t len = HEAD_AT + progress->head_len + progress->tail.len;
    uint8_t *bytes = arena_alloc(arena, len);
    Str sealed;

    running_digest_keep(&progress->hash, bytes);
    bytes[RUNNING_DIGEST_STATE_LEN] = (uint8_t)(progress->head_len >> 8);
    bytes[RUNNING_DIGEST_STATE_LEN + 1] = (uint8_t)progress->head_len;
    memcpy(bytes + HEAD_AT, progress->head, progress->head_len);
    if (progress->tail.len > 0) {
        memcpy(bytes + HEAD_AT + progress->head_len, progress->tail.ptr, progress->tail.len);
    }
    sealed =
        column_seal(key, progress_column, uuid_str(id), (Str){(const char *)bytes, len}, arena);
    secret_wipe(bytes, len);
    return sealed;
}

int upload_open_progress(const UserKey *key, const Uuid *id, Str sealed, Arena *arena,
                         UploadProgress *progress) {
    const uint8_t *bytes;
    size_t tail_len = sealed_blob_tail_len(progress->offset), head_len;
    Str value;
    int r = open_column(key, progress_column, id, sealed, arena, &value);

    if (r < 0) {
        return err_trace(r);
    }
    bytes = (const uint8_t *)value.ptr;
    head_len = value.len - MIN(value.len, HEAD_AT + tail_len);
    if (value.len < HEAD_AT + tail_len || head_len > UPLOAD_HEAD_LEN ||
        head_len !=
            ((size_t)bytes[RUNNING_DIGEST_STATE_LEN] << 8 | bytes[RUNNING_DIGEST_STATE_LEN + 1])) {
        return err_trace(-EBADMSG);
    }
    running_digest_resume(bytes, &progress->hash);
    progress->head_len = head_len;
    memcpy(progress->head, bytes + HEAD_AT, head_len);
    progress->tail = (Str){value.ptr + HEAD_AT + head_len, tail_len};
    return 0;
}

Str upload_pair_hash(const UserKey *key, const UploadAbout *about, Arena *arena) {
    uint8_t *hash;

    if (!about->pair) {
        return str_lit("");
    }
    hash = arena_alloc(arena, LIBRARY_HASH_LEN);
    library_hash(key, "imagesync/upload-pair", str_from(about->pair), hash);
    return (Str){(const char *)hash, LIBRARY_HASH_LEN};
}
