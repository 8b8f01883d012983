/* SPDX-License-Identifier: Apache-2.0 */

/* Who calls, and what their library is sealed with. */

#include "adapters/access/http/access_http_private.h"
#include "base/clock.h"
#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/error.h"

#define CALLER_TTL_MS 10000

typedef struct Lookup {
    AccessHttp *self;
    Str credential;
} Lookup;

static int load_caller(void *userdata, Arena *arena, Str *ret_value) {
    Lookup *lookup = userdata;
    AccessQuestion question = {.credential = arena_strdup(arena, lookup->credential)};
    AccessAnswer answer;
    AccessCaller *caller;
    bool unsure;
    int r = access_http_call(lookup->self, ACCESS_VERB_CALLER, &question, false, arena, &answer,
                             &unsure);

    if (r < 0) {
        return r;
    }
    if (answer.result == ACCESS_E_NONE) {
        return READ_THROUGH_E_NONE;
    }
    caller = arena_alloc(arena, sizeof(*caller)); /* zeroed, padding too: it is written out */
    if (answer.result != 0 || !answer.user_id || !answer.device_id ||
        uuid_parse(str_from(answer.user_id), &caller->user_id) < 0 ||
        uuid_parse(str_from(answer.device_id), &caller->device_id) < 0) {
        return err_trace(-ENOTCONN);
    }
    caller->scopes = (uint32_t)answer.scopes;
    caller->expires_us = (int64_t)answer.expires_us;
    *ret_value = (Str){(const char *)caller, sizeof(*caller)};
    return 0;
}

/* Under the hash of what was shown: who reads the cache cannot show it. */
static Str cache_key(Str credential, Arena *arena) {
    _cleanup_(buf_done) Buf name = BUF_INIT;
    uint8_t hash[DIGEST_LEN];

    digest_sha256(credential, hash);
    buf_addf(&name, "caller/");
    base64url_encode((Str){(const char *)hash, sizeof(hash)}, &name);
    return (Str){arena_strdup(arena, buf_str(&name)), name.len};
}

int access_http_find_caller(Access *base, Str credential, AccessCaller *ret_caller) {
    AccessHttp *self = (AccessHttp *)base;
    const ReadThroughPolicy policy = {.ttl_ms = CALLER_TTL_MS,
                                      .wait_ms = 2 * self->options.timeout_ms};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Lookup lookup = {self, credential};
    AccessCaller caller;
    Str value;
    int r;

    /* What is sent on is a JSON string. */
    if (credential.len == 0 || credential.len > ACCESS_CREDENTIAL_LEN_MAX ||
        memchr(credential.ptr, '\0', credential.len)) {
        return ACCESS_E_NONE;
    }
    r = read_through_get(self->keys, cache_key(credential, arena), &policy, load_caller, &lookup,
                         arena, &value);
    if (r != 0) {
        return r == READ_THROUGH_E_NONE ? ACCESS_E_NONE : err_trace(r);
    }
    if (value.len != sizeof(caller)) {
        return ACCESS_E_NONE;
    }
    memcpy(&caller, value.ptr, sizeof(caller));
    if (caller.expires_us != 0 && caller.expires_us <= clock_unix_us()) {
        return ACCESS_E_NONE;
    }
    *ret_caller = caller;
    return 0;
}

int access_http_library_key(Access *base, const Uuid *user_id, UserKey *ret_key) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    AccessQuestion question = {.user_id = access_http_id_text(user_id, arena)};
    AccessAnswer answer;
    Uuid parsed;
    bool unsure;
    int r;

    /* What a stranger's link names need not be an id at all: that is nobody, and no question. */
    if (uuid_parse(str_from(question.user_id), &parsed) < 0) {
        return ACCESS_E_NONE;
    }
    r = access_http_call((AccessHttp *)base, ACCESS_VERB_LIBRARY_KEY, &question, false, arena,
                         &answer, &unsure);

    if (r < 0) {
        return r;
    }
    if (answer.result != 0) {
        return answer.result == ACCESS_E_NONE ? ACCESS_E_NONE : err_trace(-ENOTCONN);
    }
    if (!answer.secret || base64url_decode_fixed(str_from(answer.secret), ret_key->bytes,
                                                 sizeof(ret_key->bytes)) < 0) {
        return err_trace(-ENOTCONN);
    }
    ret_key->user_id = *user_id;
    return 0;
}
