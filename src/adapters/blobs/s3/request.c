/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/blobs/s3/s3_private.h"
#include "adapters/blobs/s3/xml.h"
#include "base/clock.h"
#include "base/crypto/digest.h"
#include "base/error.h"
#include "base/log.h"

#include <stdio.h>
#include <time.h>

#define TRIES          6
#define PAUSE_FIRST_MS 50 /* at most, before the second try; doubled with each */

void s3_query_add(Buf *query, const char *name, Str value) {
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    buf_addf(query, "%s%s=", query->len > 0 ? "&" : "", name);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != '\0' && strchr(plain, value.ptr[i])) {
            buf_add(query, &value.ptr[i], 1);
        } else {
            buf_addf(query, "%%%02X", (unsigned char)value.ptr[i]);
        }
    }
}

const char *s3_key(const BlobsS3 *self, const char *folder, Str name, Arena *arena) {
    return arena_printf(arena, "%s%s%.*s", self->prefix, folder, (int)name.len, name.ptr);
}

static bool is_one_of(const char *code, const char *const *codes) {
    while (*codes && strcmp(*codes, code) != 0) {
        codes++;
    }
    return *codes != NULL;
}

/* Whether the same call may well be answered otherwise a little later. */
static bool passes(long status, const char *code) {
    static const char *const codes[] = {"RequestTimeout",
                                        "SlowDown",
                                        "InternalError",
                                        "ServiceUnavailable",
                                        "OperationAborted",
                                        "ConditionalRequestConflict",
                                        NULL};

    return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 507) ||
           is_one_of(code, codes);
}

static int judge(long status, const char *code) {
    static const char *const full[] = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage",
                                       NULL};

    if (strcmp(code, "NoSuchBucket") == 0) {
        return -ENOMEDIUM;
    }
    if (status == 507 || is_one_of(code, full)) {
        return -ENOSPC;
    }
    if (status == 401 || status == 403) {
        return -EACCES;
    }
    return (status >= 200 && status <= 299) || status == 404 || status == 412 || status == 416 ||
                   status == 501
               ? 0
               : -EIO;
}

static void pause_before(unsigned attempt) {
    uint32_t max_ms = PAUSE_FIRST_MS << (attempt - 1);
    uint32_t ms = max_ms / 2 + arc4random_uniform(max_ms / 2);
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&pause, NULL);
}

static const char *code_of(const S3Call *call, const HttpClientAnswer *http, Arena *arena) {
    bool good = http->status >= 200 && http->status <= 299;
    const char *code = !good || call->may_fail_late ? s3_xml_error(http->body, arena) : NULL;

    return code ? code : "";
}

/* What the call and its body are signed with goes into the arena. */
static HttpClientCall prepare(const BlobsS3 *self, const S3Call *call, Arena *arena) {
    const char **headers = arena_alloc(arena, (S3_HEADERS_MAX + 3) * sizeof(*headers));
    char hash[DIGEST_HEX_SIZE];
    uint8_t digest[DIGEST_LEN];
    size_t n = 0;

    digest_sha256(call->body.len > 0 ? call->body : str_lit(""), digest);
    hex_encode((Str){(const char *)digest, sizeof(digest)}, hash);
    headers[n++] = arena_printf(arena, "x-amz-content-sha256: %s", hash);
    headers[n++] = "Content-Type: application/octet-stream";
    for (size_t i = 0; i < S3_HEADERS_MAX && call->headers[i]; i++) {
        headers[n++] = call->headers[i];
    }
    return (HttpClientCall){.method = call->method,
                            .path = arena_printf(arena, "/%s%s%s%s%s", self->bucket,
                                                 call->key ? "/" : "", call->key ? call->key : "",
                                                 call->query ? "?" : "",
                                                 call->query ? call->query : ""),
                            .headers = headers,
                            .body = call->body,
                            .answer_max = call->answer_max,
                            .into = call->into};
}

int s3_call(const BlobsS3 *self, const S3Call *call, Arena *arena, S3Answer *ret_answer) {
    const HttpClientCall sent = prepare(self, call, arena);
    uint64_t give_up_ms = clock_mono_ms() + 2 * (uint64_t)self->timeout_ms;
    S3Answer answer = {.code = ""};
    bool again = true;
    int r = 0;

    for (unsigned attempt = 0; attempt < TRIES && again; attempt++) {
        if (attempt > 0) {
            pause_before(attempt);
        }
        r = http_client_send(self->http, &sent, arena, &answer.http);
        if (r == 0) {
            answer.code = code_of(call, &answer.http, arena);
        }
        again = (r < 0 || passes(answer.http.status, answer.code)) && clock_mono_ms() < give_up_ms;
        if (r == 0 && answer.code[0] != '\0') {
            log_debug("s3 refused", LOG_STR("method", call->method),
                      LOG_INT("status", answer.http.status), LOG_STR("code", answer.code));
        }
    }
    if (r < 0 || passes(answer.http.status, answer.code)) {
        return err_trace(-ENOTCONN);
    }
    *ret_answer = answer;
    return err_trace(judge(answer.http.status, answer.code));
}

int s3_do(const BlobsS3 *self, const S3Call *call, Arena *arena, S3Answer *ret_answer) {
    int r = s3_call(self, call, arena, ret_answer);

    if (r == 0 && (ret_answer->http.status < 200 || ret_answer->http.status > 299)) {
        r = -EIO;
    }
    return err_trace(r);
}
