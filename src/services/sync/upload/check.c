/* SPDX-License-Identifier: Apache-2.0 */

/* POST /v1/uploads/check: which files the library has, before anybody sends them. */

#include "base/crypto/digest.h"
#include "base/error.h"
#include "services/sync/call.h"
#include "services/sync/photo_add.h"
#include "services/sync/upload/uploads.h"

#define FILES_MAX 500

typedef struct Check {
    json_t *files;
    uint8_t (*hashes)[DIGEST_LEN];
} Check;

static json_t *answer_of(const char *sha256, int found, const Object *photo) {
    json_t *answer = json_pack("{s:s}", "sha256", sha256);
    bool is_deleted =
        found == PHOTO_E_REMOVED || (found == 0 && json_object_get(photo->state, "trashed"));
    char id[UUID_TEXT_SIZE];

    json_object_set_new(answer, "status",
                        json_string(found == PHOTO_E_NONE ? "unknown"
                                    : is_deleted          ? "deleted"
                                                          : "known"));
    if (found != PHOTO_E_NONE) {
        uuid_text(&photo->id, id);
        json_object_set_new(answer, "photo", json_string(id));
    }
    return answer;
}

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Check *check = userdata;
    Library library = {&call->key, call->caller.device_id, call->now_us, call->arena};
    json_t *answers = json_array();

    call->body = json_pack("{s:o}", "files", answers);
    *ret_failure = SYNC_FAILURE_NONE;
    for (size_t i = 0; i < json_array_size(check->files); i++) {
        const char *sha256 =
            json_string_value(json_object_get(json_array_get(check->files, i), "sha256"));
        _cleanup_(object_done) Object photo = {0};
        uint8_t content[LIBRARY_HASH_LEN];
        int r;
        photo_content(&call->key, check->hashes[i], content);
        r = photo_content_find(tx, &library, content, &photo);
        if (r < 0) {
            return err_trace(r);
        }
        json_array_append_new(answers, answer_of(sha256, r, &photo));
    }
    return 0;
}

static bool read_file(json_t *file, uint8_t ret_hash[DIGEST_LEN]) {
    const char *sha256 = json_string_value(json_object_get(file, "sha256"));
    json_t *size = json_object_get(file, "size");

    return json_is_object(file) && json_object_size(file) == (size ? 2 : 1) && sha256 &&
           (!size || (json_is_integer(size) && json_integer_value(size) >= 0)) &&
           strlen(sha256) == (size_t)2 * DIGEST_LEN &&
           hex_decode(str_from(sha256), ret_hash, DIGEST_LEN) == 0;
}

static SyncFailure check_files(SyncCall *call, json_t *files) {
    Check check = {.files = files};
    size_t n = json_array_size(files);

    call->detail = "files: at most 500 of {\"sha256\": 64 hexadecimal digits, \"size\": bytes}.";
    if (!json_is_array(files) || n > FILES_MAX) {
        return SYNC_FAILURE_INVALID_FIELD;
    }
    check.hashes = arena_alloc(call->arena, (n + 1) * sizeof(*check.hashes));
    for (size_t i = 0; i < n; i++) {
        if (!read_file(json_array_get(files, i), check.hashes[i])) {
            return SYNC_FAILURE_INVALID_FIELD;
        }
    }
    call->detail = NULL;
    return sync_call_look(call, look, &check);
}

static SyncFailure check(SyncCall *call) {
    static const JsonField none[] = {{0}};
    JsonMember files = {.name = "files"};
    int nothing;
    SyncFailure failure = sync_call_read_members(call, none, &nothing, &files, 1);

    if (failure == SYNC_FAILURE_NONE) {
        failure = check_files(call, files.value);
        json_decref(files.value);
    }
    return failure;
}

void uploads_check_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, check);
}
