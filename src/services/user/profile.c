/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/profile.h"

#include "base/error.h"
#include "services/user/account_json.h"
#include "services/user/privacy/consent.h"
#include "services/user/read_token.h"

#define STAMP_TTL_MS (6 * PROFILE_TTL_MS) /* longer than anything lives that it rules out */
#define LOAD_WAIT_MS 10000

typedef struct Load {
    UserCall *call;
    Arena *arena;
    Account account;
    json_t *due; /* agreements */
} Load;

static const char *id_text(Arena *arena, const Uuid *user_id) {
    char *text = arena_alloc(arena, UUID_TEXT_SIZE);

    uuid_text(user_id, text);
    return text;
}

static Str stamp_key(UserCall *call, const char *id) {
    return str_from(arena_printf(call->arena, "profile/%s", id));
}

/* Marks an account that the shared cache could not be told of. */
static Str untold_key(UserCall *call, const char *id) {
    return str_from(arena_printf(call->arena, "untold/%s", id));
}

/* Where the caller's profile is kept. False: nobody can tell whether that would be fresh, or the
 * client wants to see a certain write. */
static bool find_key(UserCall *call, Str *ret_key) {
    const UserServiceOptions *options = &call->service->options;
    const char *id = id_text(call->arena, &call->session.user_id);
    Str stamp = {"", 0};

    if (options->cache_is_shared &&
        (cache_get(options->profile_cache, untold_key(call, id), call->arena, &stamp) == 0 ||
         cache_get(options->cache, stamp_key(call, id), call->arena, &stamp) < 0)) {
        return false;
    }
    if (options->reads_replicas && http_request_header(call->request, READ_TOKEN_HEADER)) {
        return false;
    }
    *ret_key = str_from(
        arena_printf(call->arena, "profile/%s/%.*s", id, (int)MIN(stamp.len, 40), stamp.ptr));
    return true;
}

static int read_account(DbTx *tx, void *userdata) {
    Load *load = userdata;
    int r = account_store_get(tx, load->call->service->vault, &load->call->session.user_id,
                              load->arena, &load->account);

    json_decref(load->due);
    load->due = NULL;
    if (r == 0) {
        r = consent_due(tx, load->call->service, &load->account.key.user_id, load->arena,
                        &load->due);
    }
    return r < 0 ? err_trace(r) : r;
}

/* READ_THROUGH_E_NONE is ACCOUNT_E_NONE. */
static int load_profile(void *userdata, Arena *arena, Str *ret_value) {
    UserCall *call = userdata;
    Load load = {.call = call, .arena = arena};
    int r = db_read(call->service->options.db, read_token_after(call), read_account, &load);
    json_t *json;
    char *value;
    size_t len;

    if (r != 0) {
        return r == ACCOUNT_E_NONE ? READ_THROUGH_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    /* The version's bytes, then the JSON. */
    json = account_json(&load.account);
    json_object_set_new(json, "agreements_due", load.due);
    len = json_dumpb(json, NULL, 0, JSON_COMPACT);
    value = arena_alloc(arena, sizeof(load.account.version) + len);
    memcpy(value, &load.account.version, sizeof(load.account.version));
    json_dumpb(json, value + sizeof(load.account.version), len, JSON_COMPACT);
    *ret_value = (Str){value, sizeof(load.account.version) + len};
    json_decref(json);
    account_done(&load.account);
    return 0;
}

static void unpack(Str value, Str *ret_json, int64_t *ret_version) {
    memcpy(ret_version, value.ptr, sizeof(*ret_version));
    *ret_json = (Str){value.ptr + sizeof(*ret_version), value.len - sizeof(*ret_version)};
}

int profile_get(UserCall *call, Str *ret_json, int64_t *ret_version) {
    static const ReadThroughPolicy policy = {.ttl_ms = PROFILE_TTL_MS, .wait_ms = LOAD_WAIT_MS};
    Str key, value;
    int r = find_key(call, &key) ? read_through_get(call->service->profiles, key, &policy,
                                                    load_profile, call, call->arena, &value)
                                 : load_profile(call, call->arena, &value);

    if (r != 0) {
        return r == READ_THROUGH_E_NONE ? ACCOUNT_E_NONE : err_trace(r);
    }
    unpack(value, ret_json, ret_version);
    return 0;
}

bool profile_recall(UserCall *call, Str *ret_json, int64_t *ret_version) {
    Str key, value;

    if (call->service->options.cache_is_shared || !find_key(call, &key) ||
        read_through_peek(call->service->profiles, key, call->arena, &value) != 0) {
        return false;
    }
    unpack(value, ret_json, ret_version);
    return true;
}

void profile_forget(UserCall *call) {
    const UserServiceOptions *options = &call->service->options;
    const Uuid *whose = uuid_is_nil(&call->whose) ? &call->session.user_id : &call->whose;
    const char *id = id_text(call->arena, whose);
    Uuid stamp = uuid_new();

    if (uuid_is_nil(whose)) {
        return;
    }
    if (!options->cache_is_shared) {
        (void)read_through_forget(call->service->profiles,
                                  str_from(arena_printf(call->arena, "profile/%s/", id)));
    } else if (cache_put(options->cache, stamp_key(call, id),
                         str_from(id_text(call->arena, &stamp)), STAMP_TTL_MS) < 0) {
        (void)cache_put(options->profile_cache, untold_key(call, id), str_lit("1"), STAMP_TTL_MS);
    }
}
