/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/passkey/attestation.h"

#include <cbor.h>
#include <errno.h>
#include <stdlib.h>

#define OPENED_MAX 64 /* arrays, maps and tags; a packed statement has 3 or 4 */

/* Section 6.1: rpIdHash, flags, signCount; then aaguid and the length of the credential's id. */
#define HEAD_LEN      37
#define FLAG_ATTESTED 0x40
#define ATTESTED_LEN  18

typedef struct Bounds {
    size_t claimed_max;
    unsigned opened;
    bool broken;
} Bounds;

static void on_sized(void *context, size_t size) {
    Bounds *bounds = context;

    bounds->broken |= size > bounds->claimed_max || ++bounds->opened > OPENED_MAX;
}

static void on_open(void *context) {
    on_sized(context, 0);
}

static void on_tag(void *context, uint64_t value) {
    (void)value;
    on_sized(context, 0);
}

/* One pass without reserving anything; bytes that are no CBOR are the reader's to refuse. */
static bool is_bounded(Str bytes) {
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    Bounds bounds = {.claimed_max = bytes.len};

    callbacks.array_start = on_sized;
    callbacks.map_start = on_sized;
    callbacks.indef_array_start = on_open;
    callbacks.indef_map_start = on_open;
    callbacks.byte_string_start = on_open;
    callbacks.string_start = on_open;
    callbacks.tag = on_tag;
    while (bytes.len > 0 && !bounds.broken) {
        struct cbor_decoder_result step =
            cbor_stream_decode((cbor_data)bytes.ptr, bytes.len, &callbacks, &bounds);
        if (step.status != CBOR_DECODER_FINISHED || step.read == 0) {
            break;
        }
        bytes = (Str){bytes.ptr + step.read, bytes.len - step.read};
    }
    return !bounds.broken;
}

bool auth_data_is_bounded(Str auth_data, bool with_credential) {
    size_t skip = HEAD_LEN;

    if (auth_data.len < HEAD_LEN || with_credential != ((auth_data.ptr[32] & FLAG_ATTESTED) != 0)) {
        return false;
    }
    if (with_credential) {
        if (auth_data.len < HEAD_LEN + ATTESTED_LEN) {
            return false;
        }
        skip += ATTESTED_LEN + (size_t)((uint8_t)auth_data.ptr[HEAD_LEN + 16] << 8) +
                (uint8_t)auth_data.ptr[HEAD_LEN + 17];
    }
    return skip <= auth_data.len && is_bounded((Str){auth_data.ptr + skip, auth_data.len - skip});
}

static void item_freep(cbor_item_t **item) {
    if (*item) {
        cbor_decref(item);
    }
}

static bool key_is(cbor_item_t *key, const char *name) {
    return cbor_isa_string(key) && cbor_string_is_definite(key) &&
           str_equal((Str){(const char *)cbor_string_handle(key), cbor_string_length(key)},
                     str_from(name));
}

static Str copy(Arena *arena, const uint8_t *bytes, size_t len) {
    return (Str){arena_strdup(arena, (Str){(const char *)bytes, len}), len};
}

static int64_t read_alg(cbor_item_t *statement) {
    for (size_t i = 0; i < cbor_map_size(statement); i++) {
        const struct cbor_pair *pair = &cbor_map_handle(statement)[i];
        if (key_is(pair->key, "alg") && cbor_isa_negint(pair->value) &&
            cbor_get_int(pair->value) < INT32_MAX) {
            return -1 - (int64_t)cbor_get_int(pair->value);
        }
    }
    return 0;
}

static bool read_statement(cbor_item_t *value, Arena *arena, Attestation *attestation) {
    unsigned char *bytes = NULL;
    size_t capacity, len;

    if (!cbor_isa_map(value) || !cbor_map_is_definite(value)) {
        return false;
    }
    len = cbor_serialize_alloc(value, &bytes, &capacity);
    attestation->statement = copy(arena, bytes, len);
    attestation->statement_is_empty = cbor_map_size(value) == 0;
    attestation->alg = read_alg(value);
    free(bytes);
    return len > 0;
}

static bool read_member(const struct cbor_pair *pair, Arena *arena, Attestation *attestation) {
    cbor_item_t *value = pair->value;

    if (key_is(pair->key, "fmt") && cbor_isa_string(value) && cbor_string_is_definite(value)) {
        attestation->format = copy(arena, cbor_string_handle(value), cbor_string_length(value));
        return true;
    }
    if (key_is(pair->key, "authData") && cbor_isa_bytestring(value) &&
        cbor_bytestring_is_definite(value)) {
        attestation->auth_data =
            copy(arena, cbor_bytestring_handle(value), cbor_bytestring_length(value));
        return true;
    }
    return key_is(pair->key, "attStmt") && read_statement(value, arena, attestation);
}

int attestation_read(Str bytes, Arena *arena, Attestation *ret_attestation) {
    _cleanup_(item_freep) cbor_item_t *item = NULL;
    Attestation attestation = {0};
    struct cbor_load_result loaded;

    if (!is_bounded(bytes)) {
        return -EINVAL;
    }
    item = cbor_load((cbor_data)bytes.ptr, bytes.len, &loaded);
    if (!item || loaded.read != bytes.len || !cbor_isa_map(item) || !cbor_map_is_definite(item) ||
        cbor_map_size(item) != 3) {
        return -EINVAL;
    }
    for (size_t i = 0; i < 3; i++) {
        if (!read_member(&cbor_map_handle(item)[i], arena, &attestation)) {
            return -EINVAL;
        }
    }
    /* Three members, none of them absent: so none was there twice. */
    if (!attestation.format.ptr || !attestation.statement.ptr || !attestation.auth_data.ptr ||
        !auth_data_is_bounded(attestation.auth_data, true)) {
        return -EINVAL;
    }
    *ret_attestation = attestation;
    return 0;
}
