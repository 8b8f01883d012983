/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table user_device_request: what programs without a browser ask for (RFC 8628). A device code
 * is 32 random bytes, of which the table keeps SHA-256; a user code is 8 of 20 consonants, easily
 * tried through, so the table keeps a hash under a key that is not in it.
 */

#include "base/crypto/digest.h"
#include "core/ports/db.h"
#include "services/user/vault.h"

#define DEVICE_CODE_LEN      43 /* base64url of 32 bytes */
#define USER_CODE_LEN        8
#define USER_CODE_SHOWN_SIZE (USER_CODE_LEN + 2) /* "WDJB-MJHT" */
#define DEVICE_SLOWER_S      5                   /* added by each poll that came too soon */

typedef enum DeviceState {
    DEVICE_UNDECIDED,
    DEVICE_ALLOWED,
    DEVICE_DENIED,
    DEVICE_REDEEMED, /* kept until it expires, to tell a second use */
} DeviceState;

typedef struct DeviceRequest {
    uint8_t device_hash[DIGEST_LEN], user_code_hash[DIGEST_LEN];
    const char *client_id;
    uint32_t scopes;
    const char *address, *agent; /* where it came from */
    DeviceState state;
    Uuid user_id, grant_id; /* user: when decided; grant: when allowed */
    int64_t interval_s, polled_us, created_us, expires_us;
} DeviceRequest;

enum {
    DEVICE_E_NONE = 1,
};

extern const DbStatement device_statements[];
extern const size_t device_statements_len;

/* Eight letters of BCDFGHJKLMNPQRSTVWXZ (RFC 8628 6.1), each as likely as the others. */
void user_code_new(char ret_code[USER_CODE_LEN + 1]);
/* In capitals, without what people put between: blanks, hyphens and such. 0, or -EINVAL: nothing
 * that could be a code. */
int user_code_normalise(Str typed, char ret_code[USER_CODE_LEN + 1]);
/* As it is shown: a hyphen in the middle. */
void user_code_show(const char *code, char ret_shown[USER_CODE_SHOWN_SIZE]);
void user_code_hash(const UserKey *service_key, const char *code, uint8_t ret_hash[DIGEST_LEN]);

/* Takes out what has expired, too. -EBUSY: that user code is taken. */
int device_store_add(DbTx *tx, const UserKey *service_key, Arena *arena,
                     const DeviceRequest *request);
/* 0 or DEVICE_E_NONE; also one that has expired. */
int device_store_get(DbTx *tx, const UserKey *service_key, const uint8_t device_hash[DIGEST_LEN],
                     Arena *arena, DeviceRequest *ret_request);
int device_store_find(DbTx *tx, const UserKey *service_key,
                      const uint8_t user_code_hash[DIGEST_LEN], Arena *arena,
                      DeviceRequest *ret_request);
/* Writes state, user, grant, interval and poll. */
int device_store_put(DbTx *tx, const DeviceRequest *request);
