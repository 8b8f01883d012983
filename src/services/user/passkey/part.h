/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the rest of the service knows of passkeys (Web Authentication Level 2):
 *
 *   POST /v1/me/passkeys/options, /v1/me/passkeys     another passkey of one's account
 *   GET /v1/me/passkeys, PATCH, DELETE .../{id}       one's own
 *   POST /v1/passkey-challenges                       what a passkey is to sign
 *   POST /v1/sessions/passkey, /v1/sessions/proof     signing in, and proving it is still the same
 *   POST /v1/registrations/passkey, .../complete      an account that has no password
 *
 * A passkey signs in alone: it was used by somebody whom the device had checked, so it stands for
 * two factors and no code is asked for. Whom it belongs to, it says itself (the user handle is the
 * account's id), so nobody types an address, and none is told.
 */

#include "services/user/account_store.h"
#include "services/user/call.h"
#include "services/user/passkey/passkey_store.h"

struct UserPasskeys {
    WebauthnParty party;
    uint8_t challenge_key[CHALLENGE_KEY_LEN];
    Arena *arena; /* the party's */
};

typedef struct UserPasskeys UserPasskeys;

/* Needs service->vault. */
UserPasskeys *passkeys_new(UserService *service);
UserPasskeys *passkeys_free(UserPasskeys *passkeys); /* accepts NULL */
/* Whom passkeys are made for is known now. 0, or -EINVAL: the URL names no host. */
int passkeys_set_public_url(UserService *service);

/*
 * What the browser's navigator.credentials.create() is to be given (section 5.4), as JSON
 * (PublicKeyCredentialCreationOptionsJSON). `subject` is the account's id; `existing` are its
 * passkeys, which their authenticators then do not make again.
 */
json_t *passkey_creation_options(UserCall *call, ChallengePurpose purpose, const Uuid *subject,
                                 Str binding, const char *email, const char *name,
                                 const Passkey *existing, size_t n_existing);

/* What create() gave back, verified; the challenge is still to be spent. */
UserFailure passkey_created(UserCall *call, const json_t *credential, ChallengePurpose purpose,
                            Str binding, WebauthnCredential *ret_credential,
                            Challenge *ret_challenge);

/* What a new passkey may be called, in *name; NULL becomes a name of ours. */
UserFailure passkey_check_name(UserCall *call, const char **name);

/*
 * Signs in with what navigator.credentials.get() gave back: with throttling, audit and metrics. On
 * USER_FAILURE_NONE call->session is the new session, ret_token what its holder keeps, and
 * ret_account (account_done()) whose it is.
 */
UserFailure passkey_sign_in(UserCall *call, const json_t *credential, const char *device,
                            Account *ret_account, char ret_token[SESSION_TOKEN_LEN + 1]);

/* The session's proof, given anew by a passkey of the same account. */
UserFailure passkey_prove(UserCall *call, const json_t *credential);
