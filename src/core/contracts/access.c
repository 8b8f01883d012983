/* SPDX-License-Identifier: Apache-2.0 */
#include "core/contracts/access.h"

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/secret.h"
#include "base/error.h"

#include <stdio.h>

typedef struct KeyBytes {
    Uuid key_id, user_id;
    uint8_t secret[ACCESS_KEY_SECRET_LEN];
} KeyBytes;
_Static_assert(sizeof(KeyBytes) == 64, "no padding: it is what the key encodes");

static const Str prefix = {ACCESS_KEY_PREFIX, sizeof(ACCESS_KEY_PREFIX) - 1};

int access_key_parse(Str text, Uuid *ret_user_id, Uuid *ret_key_id,
                     uint8_t ret_secret_hash[ACCESS_KEY_HASH_LEN]) {
    KeyBytes bytes;

    if (text.len != ACCESS_KEY_TEXT_LEN || !str_starts_with(text, prefix) ||
        base64url_decode_fixed((Str){text.ptr + prefix.len, text.len - prefix.len},
                               (uint8_t *)&bytes, sizeof(bytes)) < 0) {
        return -EINVAL;
    }
    *ret_user_id = bytes.user_id;
    *ret_key_id = bytes.key_id;
    digest_sha256((Str){(const char *)bytes.secret, sizeof(bytes.secret)}, ret_secret_hash);
    secret_wipe(&bytes, sizeof(bytes));
    return 0;
}

void access_key_write(const Uuid *user_id, const Uuid *key_id,
                      const uint8_t secret[ACCESS_KEY_SECRET_LEN],
                      char ret_text[ACCESS_KEY_TEXT_LEN + 1]) {
    KeyBytes bytes = {.key_id = *key_id, .user_id = *user_id};
    Buf text = BUF_INIT;

    memcpy(bytes.secret, secret, sizeof(bytes.secret));
    /* At once as long as it gets, so that no part of it is left where the buffer was before. */
    buf_reserve(&text, ACCESS_KEY_TEXT_LEN + 1);
    buf_add_str(&text, prefix);
    base64url_encode((Str){(const char *)&bytes, sizeof(bytes)}, &text);
    memcpy(ret_text, text.data, ACCESS_KEY_TEXT_LEN + 1);
    secret_wipe(&bytes, sizeof(bytes));
    secret_wipe(text.data, text.len);
    buf_done(&text);
}

Str access_key_cache_key(const Uuid *user_id, const Uuid *key_id,
                         char text[ACCESS_KEY_CACHE_KEY_SIZE]) {
    char user[UUID_TEXT_SIZE], key[UUID_TEXT_SIZE];

    uuid_text(user_id, user);
    uuid_text(key_id, key);
    snprintf(text, ACCESS_KEY_CACHE_KEY_SIZE, "api-key/%s/%s", user, key);
    return str_from(text);
}
