/* SPDX-License-Identifier: Apache-2.0 */

/* By its marker a store is known. */

#include "adapters/blobs/s3/s3_private.h"
#include "base/error.h"

static const char *refusal(const char *code) {
    static const struct {
        const char *code, *reason;
    } known[] = {
        {"InvalidAccessKeyId", "the store does not know the access key"},
        {"SignatureDoesNotMatch", "the store does not accept the secret key"},
        {"RequestTimeTooSkewed", "the store's clock and this machine's differ too much"},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].code, code) == 0) {
            return known[i].reason;
        }
    }
    return "the store does not let the access key do this with the bucket";
}

/* ret_id "" when there is no marker. */
static int read_marker(const BlobsS3 *self, char ret_id[BLOB_STORE_ID_LEN + 1],
                       const char **reterr) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    S3Answer answer = {.code = ""};
    Uuid id;
    int r = s3_call(self,
                    &(S3Call){.method = "GET",
                              .key = s3_key(self, S3_MARKER, (Str){0}, arena),
                              .answer_max = 4096},
                    arena, &answer);

    ret_id[0] = '\0';
    if (r < 0) {
        *reterr = r == -ENOMEDIUM ? "there is no such bucket"
                  : r == -EACCES  ? refusal(answer.code)
                  : r == -ENOTCONN
                      ? "the store cannot be reached, or its certificate is not trusted"
                      : "the store answers what it should not";
        return err_trace(r);
    }
    if (answer.http.status == 404) {
        return 0;
    }
    if (answer.http.status != 200 || answer.http.body.len != BLOB_STORE_ID_LEN ||
        uuid_parse(answer.http.body, &id) < 0) {
        *reterr = "its marker, imagesync-blobs, is damaged: put it back from a backup";
        return err_trace(-ENOMEDIUM);
    }
    memcpy(ret_id, answer.http.body.ptr, BLOB_STORE_ID_LEN);
    ret_id[BLOB_STORE_ID_LEN] = '\0';
    return 0;
}

/* Only where nothing is, and where nobody else is quicker. */
static int make_marker(const BlobsS3 *self, char ret_id[BLOB_STORE_ID_LEN + 1],
                       const char **reterr) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *key = s3_key(self, S3_MARKER, (Str){0}, arena);
    char id[UUID_TEXT_SIZE];
    Uuid uuid = uuid_new();
    S3Item *items;
    size_t n;
    bool more;
    int r = s3_list_page(self, self->prefix, "", 1, arena, &items, &n, &more);

    if (r == 0 && n > 0) {
        *reterr = "it holds other objects: give an empty bucket, or a prefix that is new";
        r = -ENOMEDIUM;
    }
    if (r < 0) {
        return err_trace(r);
    }
    uuid_text(&uuid, id);
    r = s3_put_new(self, key, str_from(id), id);
    return err_trace(r < 0 ? r : read_marker(self, ret_id, reterr));
}

/* Whether the store refuses to write what is there: it is asked to write the marker as it is. */
static int try_condition(BlobsS3 *self, const char *id) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    S3Answer answer;
    int r = s3_call(self,
                    &(S3Call){.method = "PUT",
                              .key = s3_key(self, S3_MARKER, (Str){0}, arena),
                              .headers = {s3_writer_header(id, arena), "If-None-Match: *"},
                              .body = str_from(id)},
                    arena, &answer);

    self->conditional = r == 0 && answer.http.status == 412;
    return err_trace(r);
}

int s3_recognise(BlobsS3 *self, const char *id, char ret_id[BLOB_STORE_ID_LEN + 1],
                 const char **reterr) {
    int r = read_marker(self, ret_id, reterr);

    if (r < 0) {
        return err_trace(r);
    }
    if (id[0] != '\0' && strcmp(id, ret_id) != 0) {
        *reterr = ret_id[0] == '\0' ? "it holds no blobs: is it the right bucket?"
                                    : "it holds the blobs of another database";
        return -ENOMEDIUM;
    }
    if (ret_id[0] == '\0') {
        self->conditional = true;
        r = make_marker(self, ret_id, reterr);
    }
    return err_trace(r < 0 ? r : try_condition(self, ret_id));
}
