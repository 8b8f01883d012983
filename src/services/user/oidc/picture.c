/* SPDX-License-Identifier: Apache-2.0 */

/* The picture that the claim "picture" leads to (OpenID Connect Core, section 5.1). Not for
 * everybody: it takes the access token that showed the claim. */

#include "base/error.h"
#include "services/user/avatar.h"
#include "services/user/avatar_store.h"
#include "services/user/oidc/oidc.h"

typedef struct Picture {
    UserCall *call;
    Uuid user_id;
    Avatar avatar;
} Picture;

static int read_picture(DbTx *tx, void *userdata) {
    Picture *picture = userdata;
    UserCall *call = picture->call;
    _cleanup_(account_done) Account account = {0};
    int r = account_store_get(tx, call->service->vault, &picture->user_id, call->arena, &account);

    picture->avatar = (Avatar){0};
    if (r == 0 && account.status == ACCOUNT_LOCKED) {
        return ACCOUNT_E_NONE;
    }
    if (r == 0 && account.avatar_version > 0) {
        r = avatar_store_get(tx, &account.key, call->arena, &picture->avatar);
        r = r == AVATAR_E_NONE ? 0 : r;
    }
    return r < 0 ? err_trace(r) : r;
}

static void respond_picture(UserCall *call, const Avatar *avatar) {
    bool known = avatar_is_known(call, avatar->version);
    const HttpHeader headers[] = {
        {"Access-Control-Allow-Origin", "*"},
        {"Cache-Control", "private, no-cache"},
        {"ETag", arena_printf(call->arena, "\"%lld\"", (long long)avatar->version)},
        {0}};

    http_respond(call->request, &(HttpResponse){.status = known ? 304 : 200,
                                                .content_type = known ? NULL : "image/webp",
                                                .headers = headers,
                                                .body = known ? (Str){0} : avatar->image});
}

void oidc_picture_handle(HttpRequest *request, void *context) {
    UserCall call = oidc_call(context, request);
    Picture picture = {.call = &call};
    AccessToken token;
    int r;

    if (!oidc_admit_bearer(&call, SCOPE_PROFILE, &token)) {
        return;
    }
    picture.user_id = token.user_id;
    r = db_read(call.service->options.db, NULL, read_picture, &picture);
    if (r < 0) {
        oidc_respond_fault(&call, r);
    } else if (r > 0) {
        oidc_respond_bearer_error(&call, 401, NULL);
    } else if (picture.avatar.version == 0) {
        oidc_respond_error(&call, 404, "not_found", "There is no picture.");
    } else {
        respond_picture(&call, &picture.avatar);
    }
}
