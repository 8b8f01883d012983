/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Service tokens: what one of our services shows another with each call, so that nobody else can
 * ask what is not for the public. A JSON Web Token (EdDSA, typ "service+jwt") with iss (who calls),
 * aud (who is called), iat and exp, at most SERVICE_TOKEN_TTL_S later. Each service signs with a
 * key of its own, which is derived (HKDF) from the service keys: lines of the form of
 * base/crypto/master_key.h that all services of an installation share. The newest signs, all
 * verify, so that a line can be added before one is taken away. Why: docs/decisions/0008.
 * Thread-safe.
 */

#include "base/crypto/master_key.h"

#define SERVICE_TOKEN_TTL_S    30
#define SERVICE_TOKEN_MAX_S    60 /* one that says that it lives longer is refused */
#define SERVICE_TOKEN_LEEWAY_S 5  /* how far the services' clocks may differ */

/* Who calls and is called. */
#define SERVICE_USER  "user"
#define SERVICE_IMAGE "image"
#define SERVICE_SYNC  "sync"

enum {
    SERVICE_TOKEN_E_INVALID = 1, /* not one of that caller's, for that service, now */
};

typedef struct ServiceSigner ServiceSigner;
typedef struct ServiceVerifier ServiceVerifier;

/* Copies what it needs of the keys. 0, or -EIO. */
int service_signer_new(const MasterKeys *keys, const char *from, const char *to,
                       ServiceSigner **ret_signer);
ServiceSigner *service_signer_free(ServiceSigner *signer); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(ServiceSigner *, service_signer_free)

/* Appends a token that is good from now on. 0, or -EIO. */
int service_token_sign(const ServiceSigner *signer, int64_t now_s, Buf *out);

/* The same for who is called. `from` is the only caller whose tokens are good. */
int service_verifier_new(const MasterKeys *keys, const char *from, const char *to,
                         ServiceVerifier **ret_verifier);
ServiceVerifier *service_verifier_free(ServiceVerifier *verifier); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(ServiceVerifier *, service_verifier_free)

/* 0, SERVICE_TOKEN_E_INVALID, or -EIO. */
int service_token_verify(const ServiceVerifier *verifier, Str token, int64_t now_s);
