/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which servers that the operator names are believed to be what they say, with OpenSSL. */

#include "base/arena.h"

#include <openssl/types.h>

typedef struct TlsFiles {
    const char *authorities; /* PEM: who is trusted; "": the system's */
    const char *own;         /* PEM: our certificate, those that lead to its root, and its key, for
                                servers that ask for one; "": none */
} TlsFiles;

/* NULL becomes "". In the arena. */
TlsFiles tls_files_copy(const TlsFiles *files, Arena *arena);

/*
 * Has every connection of the context refuse a server whose certificate does not lead to one of the
 * authorities, or is not for `host` (a name, RFC 9525, or an address of IPv4 or IPv6), and anything
 * older than TLS 1.2. Where a certificate is refused the reason (X509_V_ERR_...) is written to
 * `ret_refusal`, which outlives the context or is forgotten; or NULL. 0; or -EINVAL: a file cannot
 * be read, or does not hold that.
 */
int tls_trust(SSL_CTX *context, const TlsFiles *files, const char *host, int *ret_refusal);

/* Nothing is written to `ret_refusal` from here on, so it may end before the context. */
void tls_forget_refusal(SSL_CTX *context);

/* What to do about a certificate that was refused so: a static sentence that names the setting.
 * Thread-safe. */
const char *tls_refusal_text(int refusal);

/* That of tls_trust() when it fails. */
#define TLS_FILES_TEXT                                                                             \
    "the file that trusted-certificates or client-certificate names cannot be read, or does not "  \
    "hold certificates in PEM, and of the latter the key, too"
