/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which servers that the operator names are believed to be what they say, with OpenSSL. */

#include <openssl/types.h>

/*
 * Has every connection of the context refuse a server whose certificate does not lead to an
 * authority of `ca_file` (PEM; "": the system's), or is not for `host` (a name, RFC 9525, or an
 * address of IPv4 or IPv6), and anything older than TLS 1.2. Where a certificate is refused the
 * reason (X509_V_ERR_...) is written to `ret_refusal`, which outlives the context; or NULL. 0; or
 * -EINVAL: the file cannot be read, or holds no certificate.
 */
int tls_trust(SSL_CTX *context, const char *ca_file, const char *host, int *ret_refusal);

/* What to do about a certificate that was refused so: a static sentence that names the setting.
 * Thread-safe. */
const char *tls_refusal_text(int refusal);

/* That of tls_trust() when it fails. */
#define TLS_CA_FILE_TEXT                                                                           \
    "the file that trusted-certificates names cannot be read, or holds no certificate in PEM"
