/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/profile.h"

#include "services/user/read_token.h"

#include <errno.h>

#define STAMP_TTL_MS (6 * PROFILE_TTL_MS) /* longer than anything lives that it rules out */
#define LOAD_WAIT_MS 10000

typedef struct Load {
    UserCall *call;
    UserHandler *read;
    UserFailure failure; /* of the load, when this call did it */
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

static int load(void *userdata, Arena *arena, Str *ret_value) {
    Load *load = userdata;
    UserCall *call = load->call;
    _cleanup_(json_decrefp) json_t *body = NULL;
    char *value;
    size_t len;

    load->failure = load->read(call, &body);
    if (load->failure != USER_FAILURE_NONE) {
        return load->failure == USER_FAILURE_SIGNED_OUT ? READ_THROUGH_E_NONE : -EIO;
    }
    /* The version's bytes, then the JSON. */
    len = json_dumpb(body, NULL, 0, JSON_COMPACT);
    value = arena_alloc(arena, sizeof(call->version) + len);
    memcpy(value, &call->version, sizeof(call->version));
    json_dumpb(body, value + sizeof(call->version), len, JSON_COMPACT);
    *ret_value = (Str){value, sizeof(call->version) + len};
    return 0;
}

static void unpack(UserCall *call, Str value) {
    memcpy(&call->version, value.ptr, sizeof(call->version));
    call->content = (UserContent){
        .type = "application/json",
        .bytes = {value.ptr + sizeof(call->version), value.len - sizeof(call->version)}};
}

UserFailure profile_get(UserCall *call, UserHandler *read) {
    static const ReadThroughPolicy policy = {.ttl_ms = PROFILE_TTL_MS, .wait_ms = LOAD_WAIT_MS};
    Load mine = {call, read, USER_FAILURE_NONE};
    Str key, value;
    int r = find_key(call, &key) ? read_through_get(call->service->profiles, key, &policy, load,
                                                    &mine, call->arena, &value)
                                 : load(&mine, call->arena, &value);

    if (mine.failure != USER_FAILURE_NONE) {
        return mine.failure;
    }
    if (r != 0) { /* another's load, for which this call has waited */
        return r == READ_THROUGH_E_NONE ? USER_FAILURE_SIGNED_OUT : user_call_fault(call, r);
    }
    unpack(call, value);
    return USER_FAILURE_NONE;
}

bool profile_recall(UserCall *call) {
    Str key, value;

    if (call->service->options.cache_is_shared || !find_key(call, &key) ||
        read_through_peek(call->service->profiles, key, call->arena, &value) != 0) {
        return false;
    }
    unpack(call, value);
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
