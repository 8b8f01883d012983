/* SPDX-License-Identifier: Apache-2.0 */

/* The picture that somebody shows of themselves: set, shown and removed. */

#include "services/user/avatar.h"

#include "base/error.h"
#include "services/user/account_json.h"
#include "services/user/account_store.h"
#include "services/user/avatar_render.h"
#include "services/user/avatar_store.h"
#include "services/user/read_token.h"

typedef struct Own {
    UserCall *call;
    Account account;
    Str image; /* that is put; empty: it is removed */
    Avatar avatar;
} Own;

static void own_done(Own *own) {
    account_done(&own->account);
}

static int load(DbTx *tx, Own *own) {
    return account_store_get(tx, own->call->service->vault, &own->call->session.user_id,
                             own->call->arena, &own->account);
}

static int read_avatar(DbTx *tx, void *userdata) {
    Own *own = userdata;
    int r = load(tx, own);

    if (r == 0 && own->account.avatar_version > 0) {
        r = avatar_store_get(tx, &own->account.key, own->call->arena, &own->avatar);
        r = r == AVATAR_E_NONE ? 0 : r;
    }
    return r < 0 ? err_trace(r) : r;
}

bool avatar_is_known(UserCall *call, int64_t version) {
    Str list = str_from(http_request_header(call->request, "If-None-Match")), tag;
    const char *ours = arena_printf(call->arena, "\"%lld\"", (long long)version);

    while (list.len > 0 && str_next_token(&list, ",", &tag)) {
        tag = str_trim(tag);
        if (str_starts_with(tag, str_lit("W/"))) {
            tag = (Str){tag.ptr + 2, tag.len - 2};
        }
        if (str_equal(tag, str_from(ours)) || str_equal(tag, str_lit("*"))) {
            return true;
        }
    }
    return false;
}

static UserFailure get(UserCall *call, json_t **ret_body) {
    _cleanup_(own_done) Own own = {.call = call};
    int r = db_read(call->service->options.db, read_token_after(call), read_avatar, &own);

    *ret_body = NULL;
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    if (own.avatar.version == 0) {
        call->detail = "There is no picture.";
        return USER_FAILURE_NOT_FOUND;
    }
    call->version = own.avatar.version;
    call->keeps = true;
    if (avatar_is_known(call, own.avatar.version)) {
        call->status = 304;
    } else {
        call->content = (UserContent){.type = "image/webp", .bytes = own.avatar.image};
    }
    return USER_FAILURE_NONE;
}

void avatar_get_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, get);
}

static int write_avatar(DbTx *tx, void *userdata) {
    Own *own = userdata;
    UserCall *call = own->call;
    int r = load(tx, own);

    if (r == 0) {
        r = own->image.len > 0
                ? avatar_store_put(tx, &own->account.key, own->image, call->now_us, call->arena)
                : avatar_store_remove(tx, &call->session.user_id, call->now_us);
    }
    if (r == 0) {
        account_done(&own->account);
        r = load(tx, own);
    }
    return r < 0 ? err_trace(r) : r;
}

static UserFailure change(UserCall *call, Str image, json_t **ret_body) {
    _cleanup_(own_done) Own own = {.call = call, .image = image};
    int r = db_write(call->service->options.db, write_avatar, &own, read_token_noted(call));

    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    *ret_body = image.len > 0 ? account_json(&own.account) : NULL;
    return USER_FAILURE_NONE;
}

static UserFailure put(UserCall *call, json_t **ret_body) {
    Str image = {0};
    UserFailure failure = avatar_render(call, &image);

    return failure == USER_FAILURE_NONE ? change(call, image, ret_body) : failure;
}

void avatar_put_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, put);
}

static UserFailure remove_avatar(UserCall *call, json_t **ret_body) {
    return change(call, (Str){0}, ret_body);
}

void avatar_remove_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, remove_avatar);
}
