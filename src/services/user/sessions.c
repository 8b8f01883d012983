/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/sessions.h"

#include "base/crypto/digest.h"
#include "base/error.h"
#include "base/http/cookie.h"
#include "base/json.h"
#include "services/user/account_json.h"
#include "services/user/oidc/part.h"
#include "services/user/read_token.h"

/* How long what the table said is believed. In one process a session that ends is taken out of the
 * cache at once; with a cache of its own in each process this is how long it may outlive its end.
 */
#define CACHE_TTL_MS 60000
#define SEEN_STEP_US (60 * 1000000LL)
#define DAY_US       (86400 * 1000000LL)

/* What the cache keeps; the key names the session, the hash proves the token. */
typedef struct CachedSession {
    Uuid user_id;
    uint8_t secret_hash[VAULT_HASH_LEN];
    uint32_t methods;
    int64_t authenticated_us, created_us, seen_us, expires_us;
} CachedSession;

static Str cache_key(UserCall *call, const Uuid *session_id) {
    char text[UUID_TEXT_SIZE];

    uuid_text(session_id, text);
    return str_from(arena_printf(call->arena, "session/%s", text));
}

static Str cookie_token(UserCall *call) {
    const char *cookie = http_request_cookie(call->request, SESSION_COOKIE(call->service->secure));

    return cookie ? str_from(cookie) : (Str){0};
}

static Str sent_token(UserCall *call) {
    static const Str bearer = {"bearer ", 7};
    const char *authorization = http_request_header(call->request, "Authorization");

    if (authorization) {
        Str value = str_trim(str_from(authorization));
        if (value.len > bearer.len && str_equal_nocase((Str){value.ptr, bearer.len}, bearer)) {
            return str_trim((Str){value.ptr + bearer.len, value.len - bearer.len});
        }
        return (Str){0};
    }
    return cookie_token(call);
}

bool sessions_by_cookie(UserCall *call) {
    return !http_request_header(call->request, "Authorization") && cookie_token(call).len > 0;
}

static bool from_cache(UserCall *call, const Uuid *user_id, const Uuid *session_id,
                       const uint8_t secret_hash[VAULT_HASH_LEN]) {
    CachedSession cached;
    Str value;

    if (cache_get(call->service->options.cache, cache_key(call, session_id), call->arena, &value) !=
            0 ||
        value.len != sizeof(cached)) {
        return false;
    }
    memcpy(&cached, value.ptr, sizeof(cached));
    /* The token's user is its holder's word: the row was found under one user only. */
    if (!uuid_equal(&cached.user_id, user_id) ||
        !digest_equal(cached.secret_hash, secret_hash, VAULT_HASH_LEN) ||
        cached.expires_us <= call->now_us) {
        return false;
    }
    call->session = (Session){.user_id = *user_id,
                              .session_id = *session_id,
                              .methods = cached.methods,
                              .authenticated_us = cached.authenticated_us,
                              .created_us = cached.created_us,
                              .seen_us = cached.seen_us,
                              .expires_us = cached.expires_us};
    memcpy(call->session.secret_hash, secret_hash, VAULT_HASH_LEN);
    return true;
}

static void to_cache(UserCall *call) {
    const Session *session = &call->session;
    CachedSession cached;

    memset(&cached, 0, sizeof(cached)); /* padding too: it is written out */
    cached.user_id = session->user_id;
    memcpy(cached.secret_hash, session->secret_hash, VAULT_HASH_LEN);
    cached.methods = session->methods;
    cached.authenticated_us = session->authenticated_us;
    cached.created_us = session->created_us;
    cached.seen_us = session->seen_us;
    cached.expires_us = session->expires_us;
    /* Only when there is nothing: what ended meanwhile has left its mark, see sessions_forget(). An
     * unreachable cache is lived without. */
    (void)cache_add(call->service->options.cache, cache_key(call, &session->session_id),
                    (Str){(const char *)&cached, sizeof(cached)}, CACHE_TTL_MS);
}

typedef struct Lookup {
    UserCall *call;
    Uuid user_id, session_id;
    uint8_t secret_hash[VAULT_HASH_LEN];
} Lookup;

static int look_up(DbTx *tx, void *userdata) {
    Lookup *lookup = userdata;

    return session_store_get(tx, &lookup->user_id, &lookup->session_id, lookup->secret_hash,
                             lookup->call->now_us, lookup->call->arena, &lookup->call->session);
}

static int mark_seen(DbTx *tx, void *userdata) {
    UserCall *call = userdata;

    return session_store_seen(tx, &call->session, call->now_us);
}

static bool is_idle(const UserCall *call) {
    int64_t idle_us = (int64_t)call->service->options.settings->session_idle_days * DAY_US;

    return call->now_us - call->session.seen_us > idle_us;
}

int sessions_find(UserCall *call, Str token) {
    Lookup lookup = {.call = call};
    int r;

    if (session_token_parse(token, &lookup.user_id, &lookup.session_id, lookup.secret_hash) < 0) {
        return SESSION_E_NONE;
    }
    if (from_cache(call, &lookup.user_id, &lookup.session_id, lookup.secret_hash)) {
        call->signed_in = true;
        return 0;
    }
    r = db_read(call->service->options.db, NULL, look_up, &lookup);
    if (r != 0) {
        return r < 0 ? err_trace(r) : SESSION_E_NONE;
    }
    if (is_idle(call)) {
        return SESSION_E_NONE;
    }
    if (call->now_us - call->session.seen_us > SEEN_STEP_US) {
        r = db_write(call->service->options.db, mark_seen, call, read_token_noted(call));
        if (r < 0) {
            return err_trace(r);
        }
        call->session.seen_us = call->now_us;
    }
    to_cache(call);
    call->signed_in = true;
    return 0;
}

static UserFailure authenticate(UserCall *call, Str token) {
    int r = sessions_find(call, token);

    return r == 0 ? USER_FAILURE_NONE : r > 0 ? USER_FAILURE_SIGNED_OUT : user_call_fault(call, r);
}

UserFailure sessions_authenticate(UserCall *call) {
    Str token = sent_token(call);

    /* A session's token is base64url; the compact form of a JWT has dots. */
    if (token.len > 0 && memchr(token.ptr, '.', token.len)) {
        return oidc_authenticate(call);
    }
    return authenticate(call, token);
}

bool sessions_recall(UserCall *call) {
    Str token = sent_token(call);
    Uuid user_id, session_id;
    uint8_t secret_hash[VAULT_HASH_LEN];

    call->signed_in = !call->service->options.cache_is_shared &&
                      session_token_parse(token, &user_id, &session_id, secret_hash) == 0 &&
                      from_cache(call, &user_id, &session_id, secret_hash);
    return call->signed_in;
}

UserFailure sessions_authenticate_cookie(UserCall *call) {
    return authenticate(call, cookie_token(call));
}

void sessions_look_before(UserCall *call) {
    if (sessions_authenticate_cookie(call) == USER_FAILURE_NONE) {
        Session *before = arena_alloc(call->arena, sizeof(*before));
        *before = call->session;
        call->before = before;
    }
    call->session = (Session){0};
    call->signed_in = false;
}

int sessions_open(DbTx *tx, UserCall *call, const UserKey *key, uint32_t methods,
                  const char *device_name, Session *ret_session,
                  char ret_token[SESSION_TOKEN_LEN + 1]) {
    int64_t days = (int64_t)call->service->options.settings->session_days;
    Session session = {.user_id = key->user_id,
                       .device = user_call_device(call, device_name),
                       .methods = methods,
                       .authenticated_us = call->now_us,
                       .created_us = call->now_us,
                       .seen_us = call->now_us,
                       .expires_us = call->now_us + days * DAY_US};
    int r;

    session_token_new(&session, ret_token);
    r = session_store_add(tx, key, call->arena, &session);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_session = session;
    return 0;
}

/* Of another account than the one that signs in. */
static int end_other(DbTx *tx, UserCall *call, const Session *session) {
    AuditEvent event = user_call_event(call, "session.removed", NULL);
    _cleanup_(account_done) Account account = {0};
    int r = session_store_remove(tx, &session->user_id, &session->session_id);

    if (r == 0) {
        r = account_store_get(tx, call->service->vault, &session->user_id, call->arena, &account);
    }
    if (r == 0) {
        r = audit_append(tx, call->service->vault, &account.key, call->now_us, call->arena, &event);
    }
    return r < 0 ? err_trace(r) : 0; /* one that has ended meanwhile has ended */
}

int sessions_reopen(DbTx *tx, UserCall *call, const UserKey *key, uint32_t methods,
                    const Session *before, const char *device_name, Session *ret_session,
                    char ret_token[SESSION_TOKEN_LEN + 1]) {
    int64_t days = (int64_t)call->service->options.settings->session_days;
    Session session = *before;
    int r;

    if (!uuid_equal(&before->user_id, &key->user_id)) {
        r = end_other(tx, call, before);
        return r < 0 ? err_trace(r)
                     : sessions_open(tx, call, key, methods, device_name, ret_session, ret_token);
    }
    session.methods = methods;
    session.authenticated_us = session.seen_us = call->now_us;
    session.expires_us = call->now_us + days * DAY_US;
    session_token_renew(&session, ret_token);
    r = session_store_renew(tx, key, call->arena, &session);
    if (r == SESSION_E_NONE) {
        return sessions_open(tx, call, key, methods, device_name, ret_session, ret_token);
    }
    if (r == 0) {
        session.device = user_call_device(call, device_name[0] ? device_name : session.device.name);
        r = session_store_rename(tx, key, call->arena, &session.session_id, &session.device);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_session = session;
    return 0;
}

void sessions_forget(UserCall *call, const Uuid *session_ids, size_t n) {
    for (size_t i = 0; i < n; i++) {
        /* A mark that is no session, not merely nothing: a request that has read the row before it
         * went must not put it back. */
        (void)cache_put(call->service->options.cache, cache_key(call, &session_ids[i]),
                        str_lit("-"), CACHE_TTL_MS);
    }
}

void sessions_forget_before(UserCall *call) {
    if (call->before) {
        sessions_forget(call, &call->before->session_id, 1);
    }
}

json_t *sessions_methods_json(uint32_t methods) {
    static const char *const names[] = {"password", "totp", "recovery_code", "passkey", "issuer"};
    json_t *array = json_array();

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (methods & (1u << i)) {
            json_array_append_new(array, json_string(names[i]));
        }
    }
    return array;
}

json_t *sessions_json(const UserCall *call, const Session *session) {
    char id[UUID_TEXT_SIZE];
    bool current = call->signed_in && uuid_equal(&session->session_id, &call->session.session_id);

    uuid_text(&session->session_id, id);
    return json_pack("{s:s,s:s,s:s,s:s,s:o,s:I,s:I,s:I,s:b}", "id", id, "name",
                     session->device.name, "agent", session->device.agent, "address",
                     session->device.address, "methods", sessions_methods_json(session->methods),
                     "created", (json_int_t)(session->created_us / 1000000), "seen",
                     (json_int_t)(session->seen_us / 1000000), "expires",
                     (json_int_t)(session->expires_us / 1000000), "current", current);
}

json_t *sessions_opened_json(UserCall *call, const Account *account, const Session *session,
                             const char *token, bool cookie) {
    json_t *body;

    call->session = *session;
    call->signed_in = true;
    body = json_pack("{s:o,s:o}", "user", account_json(account), "session",
                     sessions_json(call, session));
    if (cookie) {
        call->set_cookie = user_call_cookie(call, token);
    } else {
        json_object_set_new(body, "token", json_string(token));
    }
    return body;
}
