/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what reads passkeys. The first byte of an input chooses: the attestation object of a new
 * one; authenticator data and, after a byte that is its length, a signature; client data; the JSON
 * of a credential. Beyond the sanitizers it checks that nobody signs for a key that they do not
 * have, and that what is taken is within its bounds.
 */
#include "services/user/passkey/credential.h"
#include "services/user/passkey/webauthn.h"

#include <assert.h>
#include <fido.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const WebauthnParty party = {"localhost", "http://localhost:8080"};
/* RFC 8032, section 7.1, test 1; who knows the secret is of no help to a fuzzer. */
static const WebauthnCredential ours = {
    .id = {"id", 2},
    .alg = COSE_EDDSA,
    .public_key = {"\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a"
                   "\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a",
                   32}};
static const Str client_data = {"{}", 2};

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fido_init(0);
    return 0;
}

static void read_attestation(Str bytes, Arena *arena) {
    WebauthnCredential credential;
    const char *error = NULL;
    int r = webauthn_register(&party, client_data, bytes, arena, &credential, &error);

    if (r != 0) {
        assert(r > 0 && error);
        return;
    }
    assert(credential.id.len > 0 && credential.id.len <= WEBAUTHN_CREDENTIAL_ID_MAX);
    assert(credential.public_key.len >= 32 && credential.public_key.len <= 300);
}

static void read_assertion(Str bytes) {
    const char *error = NULL;
    uint32_t count;
    size_t len;

    if (bytes.len == 0) {
        return;
    }
    len = MIN((size_t)(uint8_t)bytes.ptr[0], bytes.len - 1);
    assert(webauthn_assert(&party, &ours, client_data,
                           (Str){bytes.ptr + 1 + len, bytes.len - 1 - len},
                           (Str){bytes.ptr + 1, len}, &count, &error) > 0 &&
           error);
}

static void read_client_data(Str bytes, Arena *arena) {
    const char *error = NULL;
    Str challenge;

    for (WebauthnCeremony i = WEBAUTHN_CREATE; i <= WEBAUTHN_GET; i++) {
        if (webauthn_client_data(bytes, i, &party, arena, &challenge, &error) == 0) {
            assert(challenge.len > 0 && strlen(challenge.ptr) <= challenge.len);
        } else {
            assert(error);
        }
    }
}

static void read_credential(Str bytes, Arena *arena) {
    _cleanup_(json_decrefp) json_t *json = json_loadb(bytes.ptr, bytes.len, 0, NULL);
    SentCredential sent = {0};
    const char *where;

    if (credential_read_new(json, arena, &sent, &where) == 0) {
        assert(sent.id.len > 0 && sent.attestation_object.len > 0);
    }
    sent = (SentCredential){0};
    if (credential_read_assertion(json, arena, &sent, &where) == 0) {
        assert(sent.signature.len > 0 && sent.authenticator_data.len > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str rest;

    if (size == 0) {
        return 0;
    }
    rest = (Str){(const char *)data + 1, size - 1};
    switch (data[0]) {
    case 'n':
        read_attestation(rest, arena);
        break;
    case 's':
        read_assertion(rest);
        break;
    case 'c':
        read_client_data(rest, arena);
        break;
    case 'j':
        read_credential(rest, arena);
        break;
    default:
        break;
    }
    return 0;
}
