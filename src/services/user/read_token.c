/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/read_token.h"

DbToken *read_token_noted(UserCall *call) {
    return call->service->options.reads_replicas ? &call->written : NULL;
}

static Str cache_key(UserCall *call, const Uuid *user_id) {
    char text[UUID_TEXT_SIZE];

    uuid_text(user_id, text);
    return str_from(arena_printf(call->arena, "written/%s", text));
}

/* A write that the shared cache could not be told of is kept in mind here. */
static bool get_token(UserCall *call, Cache *cache, DbToken *ret_token) {
    Str value;

    return cache_get(cache, cache_key(call, &call->session.user_id), call->arena, &value) == 0 &&
           db_token_parse(value, ret_token) == 0 && ret_token->text[0] != '\0';
}

const DbToken *read_token_after(UserCall *call) {
    const char *sent = http_request_header(call->request, READ_TOKEN_HEADER);
    const UserServiceOptions *options = &call->service->options;
    DbToken missed, theirs;

    if (!options->reads_replicas || get_token(call, options->local_cache, &missed) ||
        !get_token(call, options->cache, &call->after)) {
        return NULL;
    }
    if (sent && db_token_parse(str_from(sent), &theirs) < 0) {
        return NULL;
    }
    if (sent && strcmp(theirs.text, call->after.text) > 0) {
        call->after = theirs;
    }
    if (strcmp(call->written.text, call->after.text) > 0) {
        call->after = call->written; /* by this very call: that the session was seen */
    }
    return &call->after;
}

static bool only_reads(UserCall *call) {
    const char *method = http_request_method(call->request);

    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

void read_token_keep(UserCall *call, UserFailure failure) {
    const UserServiceOptions *options = &call->service->options;
    const Uuid *whose = uuid_is_nil(&call->whose) ? &call->session.user_id : &call->whose;
    bool unknown =
        !only_reads(call) && (failure == USER_FAILURE_NONE || failure == USER_FAILURE_UNAVAILABLE ||
                              failure == USER_FAILURE_INTERNAL);
    Str key;

    if (!options->reads_replicas || uuid_is_nil(whose)) {
        return;
    }
    if (call->written.text[0] == '\0') {
        if (!unknown) {
            return;
        }
        call->written = DB_TOKEN_PRIMARY;
    }
    key = cache_key(call, whose);
    if (cache_raise(options->cache, key, str_from(call->written.text), READ_TOKEN_TTL_MS) < 0) {
        (void)cache_put(options->local_cache, key, str_from(DB_TOKEN_PRIMARY.text),
                        READ_TOKEN_TTL_MS);
    }
}
