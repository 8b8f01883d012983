/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/blobs_engine.h"

#include "adapters/blobs/folder/folder.h"
#include "adapters/blobs/s3/s3_private.h"
#include "base/error.h"

#include <ftw.h>
#include <stdio.h>

#define MARKER     "imagesync-blobs"
#define TIMEOUT_MS 20000 /* or BLOBS_TIMEOUT_MS */

static struct {
    const char *path; /* of a folder; NULL: a bucket */
    char endpoint[256], bucket[64];
    const char *prefix; /* in the URL */
    Blobs *blobs;
    char id[BLOB_STORE_ID_LEN + 1];
} engine;

static int open_store(const char *id, Blobs **ret_blobs, char ret_id[BLOB_STORE_ID_LEN + 1],
                      const char **reterr) {
    const char *key = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
    const char *timeout = getenv("BLOBS_TIMEOUT_MS"), *ca_file = getenv("AWS_CA_BUNDLE");
    uint64_t timeout_ms = TIMEOUT_MS;

    if (engine.path) {
        return blobs_folder_new(engine.path, id, ret_blobs, ret_id, reterr);
    }
    if (timeout && str_to_u64(str_from(timeout), &timeout_ms) < 0) {
        return -EINVAL;
    }
    return blobs_s3_new(&(BlobsS3Options){.endpoint = engine.endpoint,
                                          .region = "us-east-1",
                                          .bucket = engine.bucket,
                                          .prefix = engine.prefix,
                                          .access_key = key ? key : "",
                                          .secret_key = secret ? secret : "",
                                          .ca_file = ca_file ? ca_file : "",
                                          .timeout_ms = (uint32_t)timeout_ms},
                        id, ret_blobs, ret_id, reterr);
}

/* s3:ENDPOINT/BUCKET/PREFIX */
static bool parse_s3(const char *endpoint) {
    const char *host = strstr(endpoint, "://");
    const char *bucket = host ? strchr(host + 3, '/') : NULL;
    const char *prefix = bucket ? strchr(bucket + 1, '/') : NULL;

    if (!prefix || bucket - endpoint >= (ptrdiff_t)sizeof(engine.endpoint) ||
        prefix - bucket > (ptrdiff_t)sizeof(engine.bucket)) {
        return false;
    }
    memcpy(engine.endpoint, endpoint, (size_t)(bucket - endpoint));
    memcpy(engine.bucket, bucket + 1, (size_t)(prefix - bucket) - 1);
    engine.prefix = prefix + 1;
    return true;
}

static bool parse(const char *url) {
    static const char folder[] = "folder:", s3[] = "s3:";

    if (str_starts_with(str_from(url), str_from(folder))) {
        engine.path = url + sizeof(folder) - 1;
        return true;
    }
    return str_starts_with(str_from(url), str_from(s3)) && parse_s3(url + sizeof(s3) - 1);
}

int blobs_engine_open(const char *url, Blobs **ret_blobs) {
    const char *reason = NULL;
    int r = parse(url) ? open_store("", &engine.blobs, engine.id, &reason) : -EINVAL;

    if (r < 0) {
        (void)fprintf(stderr, "%s: %s (%s)\n", url, reason ? reason : "", strerror(-r));
        return r;
    }
    *ret_blobs = engine.blobs;
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

void blobs_engine_close(Blobs *blobs) {
    blobs_free(blobs);
    if (engine.path) {
        nftw(engine.path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
}

const char *blobs_engine_id(void) {
    return engine.id;
}

int blobs_engine_reopen(const char *id, const char **reterr) {
    char found[BLOB_STORE_ID_LEN + 1];
    Blobs *blobs = NULL;
    int r = open_store(id, &blobs, found, reterr);

    blobs_free(blobs);
    return r;
}

static int hide_object(bool hide) {
    const BlobsS3 *self = (BlobsS3 *)engine.blobs;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *key = s3_key(self, MARKER, (Str){0}, arena);

    return hide ? s3_delete(self, key) : s3_put_new(self, key, str_from(engine.id), engine.id);
}

void blobs_engine_hide_marker(bool hide) {
    char shown[4096], hidden[4096];
    int r;

    if (engine.path) {
        snprintf(shown, sizeof(shown), "%s/" MARKER, engine.path);
        snprintf(hidden, sizeof(hidden), "%s/hidden", engine.path);
        r = rename(hide ? shown : hidden, hide ? hidden : shown);
    } else {
        r = hide_object(hide);
    }
    if (r != 0) {
        abort();
    }
}
