/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/passkey/credential.h"

#include "base/crypto/base64url.h"

#include <errno.h>

/* An object's member as bytes: there, and not empty. */
static bool read_bytes(const json_t *object, const char *member, Arena *arena, Str *ret_bytes) {
    const json_t *value = json_object_get(object, member);

    return json_is_string(value) &&
           base64url_decode((Str){json_string_value(value), json_string_length(value)}, arena,
                            ret_bytes) == 0 &&
           ret_bytes->len > 0;
}

static int fault(const char **reterr_where, const char *where) {
    *reterr_where = where;
    return -EINVAL;
}

static int read_common(const json_t *json, Arena *arena, SentCredential *ret_sent,
                       const char **reterr_where) {
    const char *type = json_string_value(json_object_get(json, "type"));

    if (!type || strcmp(type, "public-key") != 0) {
        return fault(reterr_where, "credential.type");
    }
    if (!read_bytes(json, "id", arena, &ret_sent->id)) {
        return fault(reterr_where, "credential.id");
    }
    if (!read_bytes(json_object_get(json, "response"), "clientDataJSON", arena,
                    &ret_sent->client_data)) {
        return fault(reterr_where, "credential.response.clientDataJSON");
    }
    return 0;
}

int credential_read_new(const json_t *json, Arena *arena, SentCredential *ret_sent,
                        const char **reterr_where) {
    const json_t *response = json_object_get(json, "response");
    int r = read_common(json, arena, ret_sent, reterr_where);

    if (r < 0) {
        return r;
    }
    if (!read_bytes(response, "attestationObject", arena, &ret_sent->attestation_object)) {
        return fault(reterr_where, "credential.response.attestationObject");
    }
    return 0;
}

/* Absent or null: the browser was told which passkeys to use, and some authenticators then say no
 * more. */
static bool read_user(const json_t *response, Arena *arena, SentCredential *ret_sent) {
    const json_t *value = json_object_get(response, "userHandle");
    Str bytes;

    if (!value || json_is_null(value)) {
        return true;
    }
    ret_sent->has_user = read_bytes(response, "userHandle", arena, &bytes) &&
                         uuid_from_str(bytes, &ret_sent->user_id) == 0;
    return ret_sent->has_user;
}

int credential_read_assertion(const json_t *json, Arena *arena, SentCredential *ret_sent,
                              const char **reterr_where) {
    const json_t *response = json_object_get(json, "response");
    int r = read_common(json, arena, ret_sent, reterr_where);

    if (r < 0) {
        return r;
    }
    if (!read_bytes(response, "authenticatorData", arena, &ret_sent->authenticator_data)) {
        return fault(reterr_where, "credential.response.authenticatorData");
    }
    if (!read_bytes(response, "signature", arena, &ret_sent->signature)) {
        return fault(reterr_where, "credential.response.signature");
    }
    if (!read_user(response, arena, ret_sent)) {
        return fault(reterr_where, "credential.response.userHandle");
    }
    return 0;
}
