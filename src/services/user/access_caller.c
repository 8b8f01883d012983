/* SPDX-License-Identifier: Apache-2.0 */

/* Who calls another service, and what their library is sealed with (core/contracts/access.h). */

#include "base/clock.h"
#include "base/error.h"
#include "services/user/access.h"
#include "services/user/account_store.h"
#include "services/user/library_key.h"
#include "services/user/oidc/oidc.h"
#include "services/user/sessions.h"

static UserService *service_of(Access *self) {
    return ((UserAccess *)self)->service;
}

static int by_key(Access *self, Str text, AccessCaller *ret_caller) {
    AccessKey key;
    int r = access_find_key(self, text, &key);

    if (r == 0) {
        *ret_caller = (AccessCaller){key.user_id, key.key_id, key.scopes, key.expires_us};
    }
    return r;
}

static int by_access_token(UserCall *call, Str text, AccessCaller *ret_caller) {
    AccessToken token;
    int r = oidc_find(call, text, &token);

    if (r != 0) {
        return r < 0 ? err_trace(r) : ACCESS_E_NONE;
    }
    *ret_caller = (AccessCaller){token.user_id, token.grant_id,
                                 token.scopes & SCOPE_LIBRARY ? ACCESS_SCOPE_LIBRARY : 0,
                                 token.expires_s * 1000000};
    return 0;
}

static int by_session(UserCall *call, Str text, AccessCaller *ret_caller) {
    int r = sessions_find(call, text);

    if (r != 0) {
        return r < 0 ? err_trace(r) : ACCESS_E_NONE;
    }
    *ret_caller = (AccessCaller){call->session.user_id, call->session.session_id, ACCESS_SCOPES_ALL,
                                 call->session.expires_us};
    return 0;
}

int user_access_find_caller(Access *self, Str credential, AccessCaller *ret_caller) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    UserCall call = {.service = service_of(self), .arena = arena, .now_us = clock_unix_us()};

    if (credential.len > ACCESS_CREDENTIAL_LEN_MAX) {
        return ACCESS_E_NONE;
    }
    if (str_starts_with(credential, str_lit(ACCESS_KEY_PREFIX))) {
        return by_key(self, credential, ret_caller);
    }
    /* A session's token is base64url; the compact form of a JWT has dots. */
    return memchr(credential.ptr, '.', credential.len)
               ? by_access_token(&call, credential, ret_caller)
               : by_session(&call, credential, ret_caller);
}

typedef struct KeyWork {
    UserService *service;
    const Uuid *user_id;
    Arena *arena;
    UserKey *ret_key;
} KeyWork;

static int read_key(DbTx *tx, void *userdata) {
    KeyWork *work = userdata;

    return library_key_of(tx, work->service->vault, work->user_id, work->arena, work->ret_key);
}

int user_access_library_key(Access *self, const Uuid *user_id, UserKey *ret_key) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    KeyWork work = {service_of(self), user_id, arena, ret_key};
    int r = db_read(work.service->options.db, NULL, read_key, &work);

    return r == ACCOUNT_E_NONE ? ACCESS_E_NONE : err_trace(r);
}
