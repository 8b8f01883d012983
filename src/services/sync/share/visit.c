/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/share/visit.h"

#include "base/clock.h"
#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/error.h"
#include "base/http/cookie.h"
#include "services/sync/change.h"
#include "services/sync/photo/photo_state.h"

#include <strings.h>

void visit_done(Visit *visit) {
    share_done(&visit->share);
    sync_call_done(&visit->call);
}

typedef struct PassBytes {
    uint8_t until_us[8];
    uint8_t mac[LIBRARY_HASH_LEN];
} PassBytes;

/* Of the share, its password and the time; so that another password ends what was given. */
static void make_mac(Visit *visit, PassBytes *pass) {
    const char *hash = json_string_value(json_object_get(visit->share.detail, "password_hash"));
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_add_str(&text, uuid_str(&visit->share.id));
    buf_add(&text, pass->until_us, sizeof(pass->until_us));
    buf_add_str(&text, str_from(hash));
    library_hash(&visit->call.key, "imagesync/share-pass", buf_str(&text), pass->mac);
}

const char *visit_pass(Visit *visit) {
    uint64_t until_us = (uint64_t)(visit->call.now_us + VISIT_PASS_S * 1000000);
    _cleanup_(buf_done) Buf text = BUF_INIT;
    PassBytes pass;

    for (size_t i = 0; i < sizeof(pass.until_us); i++) {
        pass.until_us[i] = (uint8_t)(until_us >> (56 - 8 * i));
    }
    make_mac(visit, &pass);
    base64url_encode((Str){(const char *)&pass, sizeof(pass)}, &text);
    return arena_strdup(visit->call.arena, buf_str(&text));
}

static bool has_pass(Visit *visit) {
    const char *shown = http_request_header(visit->call.request, "Share-Pass");
    PassBytes pass, right;
    uint64_t until_us = 0;

    shown = shown ? shown : http_request_cookie(visit->call.request, "share-pass");
    if (!shown || base64url_decode_fixed(str_from(shown), (uint8_t *)&pass, sizeof(pass)) < 0) {
        return false;
    }
    memcpy(right.until_us, pass.until_us, sizeof(right.until_us));
    make_mac(visit, &right);
    for (size_t i = 0; i < sizeof(pass.until_us); i++) {
        until_us = until_us << 8 | pass.until_us[i];
    }
    return digest_equal(pass.mac, right.mac, sizeof(pass.mac)) &&
           until_us > (uint64_t)visit->call.now_us;
}

static int find(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Visit *visit = userdata;
    Library library = library_of_call(call);
    Uuid id = visit->share.id;
    int r;

    share_done(&visit->share);
    r = share_get(tx, &library, &id, &visit->share);
    *ret_failure = r == SHARE_E_NONE ? SYNC_FAILURE_NOT_FOUND : SYNC_FAILURE_NONE;
    return r < 0 ? err_trace(r) : 0;
}

static bool is_good(const Visit *visit, const uint8_t secret_hash[32]) {
    return digest_equal(visit->share.secret_hash, secret_hash, sizeof(visit->share.secret_hash)) &&
           (visit->share.expires_us == 0 || visit->share.expires_us > visit->call.now_us);
}

SyncFailure visit_begin(SyncService *service, HttpRequest *request, bool before_password,
                        Visit *ret_visit) {
    Visit *visit = ret_visit;
    SyncCall *call = &visit->call;
    uint8_t secret_hash[32];
    SyncFailure failure;
    int r;

    *visit = (Visit){.call = {.service = service,
                              .request = request,
                              .arena = http_request_arena(request),
                              .now_us = clock_unix_us(),
                              .status = 200}};
    if (share_token_parse(str_from(http_request_param(request, "token")), &call->caller.user_id,
                          &visit->share.id, secret_hash) < 0) {
        call->detail = "That is no link, or not all of it.";
        return SYNC_FAILURE_INVALID_FIELD;
    }
    r = library_key_get(service->keys, &call->caller.user_id, &call->key);
    if (r != 0) {
        return r < 0 ? sync_call_fault(call, r) : SYNC_FAILURE_NOT_FOUND;
    }
    failure = sync_call_look(call, find, visit);
    if (failure == SYNC_FAILURE_NONE && !is_good(visit, secret_hash)) {
        failure = SYNC_FAILURE_NOT_FOUND;
    }
    if (failure == SYNC_FAILURE_NONE && !before_password &&
        json_object_get(visit->share.detail, "password_hash") && !has_pass(visit)) {
        call->detail = "POST the password to .../unlock first.";
        failure = SYNC_FAILURE_PASSWORD_REQUIRED;
    }
    return failure;
}

static bool lists(const json_t *list, const char *id) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcasecmp(json_string_value(json_array_get(list, i)), id) == 0) {
            return true;
        }
    }
    return false;
}

int visit_photo(DbTx *tx, Visit *visit, const Uuid *photo_id, Object *ret_photo) {
    Library library = library_of_call(&visit->call);
    const json_t *detail = visit->share.detail;
    const char *album = json_string_value(json_object_get(detail, "album"));
    const json_t *photos = json_object_get(detail, "photos");
    const char *pair;
    char id[UUID_TEXT_SIZE];
    Object photo;
    bool shown;
    int r;

    uuid_text(photo_id, id);
    r = object_get(tx, &library, OBJECT_PHOTO, photo_id, &photo);
    if (r != 0) {
        return r < 0 ? err_trace(r) : OBJECT_E_NONE;
    }
    pair = json_string_value(json_object_get(photo.state, "pair"));
    shown = photo_trashed_us(photo.state) == 0 &&
            (album ? lists(json_object_get(photo.state, "albums"), album)
                   : lists(photos, id) || (pair && lists(photos, pair)));
    if (!shown) {
        object_done(&photo);
        return OBJECT_E_NONE;
    }
    *ret_photo = photo;
    return 0;
}
