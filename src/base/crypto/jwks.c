/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/jwk.h"

struct Jwks {
    size_t n_keys;
    Jwk *keys[JWKS_KEYS_MAX];
};

Jwks *jwks_new(void) {
    Jwks *jwks = calloc(1, sizeof(*jwks));

    if (!jwks) {
        abort();
    }
    return jwks;
}

Jwks *jwks_free(Jwks *jwks) {
    for (size_t i = 0; jwks && i < jwks->n_keys; i++) {
        jwk_unref(jwks->keys[i]);
    }
    free(jwks);
    return NULL;
}

const Jwk *jwks_find(const Jwks *jwks, Str kid) {
    for (size_t i = 0; i < jwks->n_keys; i++) {
        if (str_equal(str_from(jwk_kid(jwks->keys[i])), kid)) {
            return jwks->keys[i];
        }
    }
    return NULL;
}

const Jwk *jwks_only(const Jwks *jwks) {
    return jwks->n_keys == 1 ? jwks->keys[0] : NULL;
}

int jwks_add(Jwks *jwks, Jwk *jwk) {
    if (jwks->n_keys == JWKS_KEYS_MAX || jwks_find(jwks, str_from(jwk_kid(jwk)))) {
        return JWK_E_INVALID;
    }
    jwks->keys[jwks->n_keys++] = jwk_ref(jwk);
    return 0;
}

int jwks_read(Str text, Jwks **ret_jwks) {
    _cleanup_(json_decrefp) json_t *set = NULL;
    _cleanup_(jwks_freep) Jwks *jwks = jwks_new();
    const json_t *keys, *key;
    size_t i;

    if (text.len > JWKS_LEN_MAX) {
        return JWK_E_INVALID;
    }
    set = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    keys = json_object_get(set, "keys");
    if (!json_is_array(keys) || json_array_size(keys) > JWKS_KEYS_MAX) {
        return JWK_E_INVALID;
    }
    json_array_foreach(keys, i, key) {
        _cleanup_(jwk_unrefp) Jwk *jwk = NULL;
        int r = jwk_read(key, &jwk);
        if (r == JWK_E_UNSUPPORTED) {
            continue;
        }
        r = r == 0 ? jwks_add(jwks, jwk) : r;
        if (r != 0) {
            return r;
        }
    }
    *ret_jwks = TAKE_PTR(jwks);
    return 0;
}

json_t *jwks_write(const Jwks *jwks) {
    json_t *keys = json_array(), *set;

    for (size_t i = 0; keys && i < jwks->n_keys; i++) {
        if (json_array_append_new(keys, jwk_write(jwks->keys[i])) < 0) {
            abort();
        }
    }
    set = json_pack("{s:o}", "keys", keys);
    if (!set) {
        abort();
    }
    return set;
}
