/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/master_key.h"

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/master_key_internal.h"
#include "base/crypto/secret.h"
#include "base/error.h"

/* What the wrapping key is derived for, so that the key itself seals nothing. */
#define WRAP_PURPOSE str_lit("imagesync wrap v1")
#define SEALED_LEN   (AEAD_OVERHEAD + AEAD_KEY_LEN)
/* Of what the caller gives; the id comes before it. */
#define ASSOCIATED_MAX ((size_t)4096)

typedef struct MasterKey {
    char id[MASTER_KEY_ID_MAX + 1];
    uint8_t key[AEAD_KEY_LEN], wrapping[AEAD_KEY_LEN];
} MasterKey;

struct MasterKeys {
    size_t n_keys;
    MasterKey keys[MASTER_KEY_KEYS_MAX];
};

static const MasterKey *newest(const MasterKeys *keys) {
    return &keys->keys[keys->n_keys - 1];
}

static const MasterKey *find(const MasterKeys *keys, Str id) {
    for (size_t i = 0; i < keys->n_keys; i++) {
        if (str_equal(str_from(keys->keys[i].id), id)) {
            return &keys->keys[i];
        }
    }
    return NULL;
}

bool master_keys_has(const MasterKeys *keys, Str id) {
    return find(keys, id) != NULL;
}

static bool good_id(Str id) {
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return id.len >= 1 && id.len <= MASTER_KEY_ID_MAX;
}

static const char *parse_line(Str line, MasterKeys *keys) {
    MasterKey *key = &keys->keys[keys->n_keys];
    Str id, text = line;

    if (keys->n_keys == MASTER_KEY_KEYS_MAX) {
        return "there are more than 64 master keys";
    }
    if (!str_next_token(&text, ":", &id) || !text.ptr || !good_id(id)) {
        return "a line of the master keys is not ID:KEY with an ID of 1 to 32 of a-z, 0-9 and '-'";
    }
    if (find(keys, id)) {
        return "two master keys have the same id";
    }
    if (base64url_decode_fixed(text, key->key, sizeof(key->key)) < 0) {
        return "a master key is not 32 bytes in base64url (43 characters, no padding)";
    }
    memcpy(key->id, id.ptr, id.len);
    key_derive(key->key, WRAP_PURPOSE, key->wrapping);
    keys->n_keys++;
    return NULL;
}

int master_keys_parse(Str text, MasterKeys **ret_keys, const char **reterr) {
    _cleanup_(master_keys_freep) MasterKeys *keys = secret_alloc(sizeof(*keys));
    Str line;

    while (str_next_token(&text, "\n", &line)) {
        const char *wrong;
        line = str_trim(line);
        if (line.len == 0 || line.ptr[0] == '#') {
            continue;
        }
        wrong = parse_line(line, keys);
        if (wrong) {
            *reterr = wrong;
            return MASTER_KEY_E_REFUSED;
        }
    }
    if (keys->n_keys == 0) {
        *reterr = "there is no master key in it";
        return MASTER_KEY_E_REFUSED;
    }
    *ret_keys = TAKE_PTR(keys);
    return 0;
}

MasterKeys *master_keys_free(MasterKeys *keys) {
    return secret_free(keys);
}

const char *master_keys_newest(const MasterKeys *keys) {
    return newest(keys)->id;
}

const char *master_keys_id(const MasterKeys *keys, size_t i) {
    return i < keys->n_keys ? keys->keys[i].id : NULL;
}

/* Length of the id, id, the caller's: no two pairs give the same bytes. */
static int associate(const MasterKey *key, Str associated, Buf *out) {
    uint8_t len = (uint8_t)strlen(key->id);

    if (associated.len > ASSOCIATED_MAX) {
        return -EMSGSIZE;
    }
    buf_add(out, &len, 1);
    buf_add(out, key->id, len);
    buf_add_str(out, associated);
    return 0;
}

int master_keys_wrap(const MasterKeys *keys, const uint8_t key[AEAD_KEY_LEN], Str associated,
                     uint8_t ret_wrapped[MASTER_KEY_WRAPPED_MAX], size_t *ret_len) {
    const MasterKey *with = newest(keys);
    _cleanup_(buf_done) Buf tied = BUF_INIT;
    size_t head = 1 + strlen(with->id);
    int r = associate(with, associated, &tied);

    if (r < 0) {
        return err_trace(r);
    }
    memcpy(ret_wrapped, tied.data, head);
    r = aead_seal(with->wrapping, (Str){(const char *)key, AEAD_KEY_LEN}, buf_str(&tied),
                  ret_wrapped + head);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_len = head + SEALED_LEN;
    return 0;
}

/* The id off the front; false when it cannot be a wrapped key. */
static bool split_wrapped(Str wrapped, Str *ret_id, Str *ret_sealed) {
    size_t len = wrapped.len > 0 ? (uint8_t)wrapped.ptr[0] : 0;

    if (len < 1 || len > MASTER_KEY_ID_MAX || wrapped.len != 1 + len + SEALED_LEN) {
        return false;
    }
    *ret_id = (Str){wrapped.ptr + 1, len};
    *ret_sealed = (Str){wrapped.ptr + 1 + len, SEALED_LEN};
    return true;
}

int master_keys_unwrap(const MasterKeys *keys, Str wrapped, Str associated,
                       uint8_t ret_key[AEAD_KEY_LEN]) {
    _cleanup_(buf_done) Buf tied = BUF_INIT;
    uint8_t key[AEAD_KEY_LEN];
    const MasterKey *with;
    Str id, sealed;
    int r;

    if (!split_wrapped(wrapped, &id, &sealed)) {
        return MASTER_KEY_E_FORGED;
    }
    with = find(keys, id);
    if (!with) {
        return MASTER_KEY_E_UNKNOWN;
    }
    r = associate(with, associated, &tied);
    if (r < 0) {
        return err_trace(r);
    }
    r = aead_open(with->wrapping, sealed, buf_str(&tied), key);
    if (r != 0) {
        return r < 0 ? err_trace(r) : MASTER_KEY_E_FORGED;
    }
    memcpy(ret_key, key, sizeof(key));
    secret_wipe(key, sizeof(key));
    return 0;
}

int master_keys_rewrap(const MasterKeys *keys, Str wrapped, Str associated,
                       uint8_t ret_wrapped[MASTER_KEY_WRAPPED_MAX], size_t *ret_len) {
    uint8_t key[AEAD_KEY_LEN];
    int r = master_keys_unwrap(keys, wrapped, associated, key);

    if (r != 0) {
        return r;
    }
    r = master_keys_wrap(keys, key, associated, ret_wrapped, ret_len);
    secret_wipe(key, sizeof(key));
    return r;
}

bool master_key_wrapped_id(Str wrapped, Str *ret_id) {
    Str sealed;

    return split_wrapped(wrapped, ret_id, &sealed);
}

bool master_keys_is_current(const MasterKeys *keys, Str wrapped) {
    Str id, sealed;

    return split_wrapped(wrapped, &id, &sealed) && str_equal(id, str_from(newest(keys)->id));
}

void key_derive(const uint8_t key[AEAD_KEY_LEN], Str purpose, uint8_t ret_key[AEAD_KEY_LEN]) {
    digest_hkdf((Str){(const char *)key, AEAD_KEY_LEN}, (Str){0}, purpose, ret_key, AEAD_KEY_LEN);
}

int master_keys_derive(const MasterKeys *keys, Str id, Str purpose, uint8_t ret_key[AEAD_KEY_LEN]) {
    const MasterKey *key = find(keys, id);

    if (!key) {
        return MASTER_KEY_E_UNKNOWN;
    }
    key_derive(key->key, purpose, ret_key);
    return 0;
}
