/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the server asks of its certificate; for src/base/http/ only. */

#include "base/http/tls.h"

#include <gnutls/abstract.h>

/*
 * TLS 1.3 and 1.2 with forward secrecy and authenticated encryption, and nothing else: the
 * "intermediate" recommendation of Mozilla without its older suites.
 */
#define TLS_PRIORITIES                                                                             \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"                  \
    "-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:"                     \
    "-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_PRECEDENCE"

/*
 * Copies of chain and key for one handshake, for gnutls_certificate_retrieve_function3, which
 * frees them (GNUTLS_CERT_RETR_DEINIT_ALL). Any thread. 0, or -1.
 */
int tls_retrieve(HttpTls *tls, gnutls_pcert_st **ret_chain, unsigned *ret_chain_len,
                 gnutls_privkey_t *ret_key);
