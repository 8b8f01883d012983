/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sealing/column.h"

#include "base/crypto/secret.h"
#include "base/error.h"

void user_key_done(UserKey *key) {
    secret_wipe(key, sizeof(*key));
}

/* The place a value stands in: what it is sealed with, so that it opens nowhere else. */
static void place(const UserKey *key, const char *column, Str row, Buf *out) {
    uint64_t row_len = row.len;

    buf_add_str(out, str_from(column));
    buf_add(out, "", 1);
    buf_add_str(out, uuid_str(&key->user_id));
    buf_add(out, &row_len, sizeof(row_len));
    buf_add_str(out, row);
}

Str column_seal(const UserKey *key, const char *column, Str row, Str value, Arena *arena) {
    _cleanup_(buf_done) Buf associated = BUF_INIT;
    Str sealed = {.len = value.len + AEAD_OVERHEAD};
    uint8_t *bytes = arena_alloc(arena, sealed.len);

    place(key, column, row, &associated);
    if (aead_seal(key->bytes, value, buf_str(&associated), bytes) < 0) {
        abort(); /* columns are bounded, and the library is there: it cannot be */
    }
    sealed.ptr = (const char *)bytes;
    return sealed;
}

int column_open(const UserKey *key, const char *column, Str row, Str sealed, Arena *arena,
                Str *ret_value) {
    _cleanup_(buf_done) Buf associated = BUF_INIT;
    size_t len = sealed.len > AEAD_OVERHEAD ? sealed.len - AEAD_OVERHEAD : 0;
    uint8_t *bytes = arena_alloc(arena, len + 1);
    int r;

    place(key, column, row, &associated);
    r = aead_open(key->bytes, sealed, buf_str(&associated), bytes);
    if (r != 0) {
        return r < 0 ? err_trace(r) : COLUMN_E_BROKEN;
    }
    *ret_value = (Str){(const char *)bytes, len};
    return 0;
}
