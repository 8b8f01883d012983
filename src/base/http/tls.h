/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The certificate and key that a server shows, read from PEM files and read again when they have
 * changed. A connection keeps what it began with.
 */

#include "base/arena.h"

typedef struct HttpTls HttpTls;

/*
 * `certificate` holds the server's certificate first and then those between it and the root; `key`
 * is not encrypted and no user of the machine but its owner and group can read it. -EINVAL with a
 * sentence in *reterr_text that names the file, what is wrong and what to do.
 */
int http_tls_new(const char *certificate, const char *key, Arena *arena, HttpTls **ret_tls,
                 const char **reterr_text);
/* After the server. Accepts NULL, returns NULL. */
HttpTls *http_tls_free(HttpTls *tls);
DEFINE_CLEANUP(HttpTls *, http_tls_free)

enum {
    HTTP_TLS_E_UNCHANGED = 1, /* the files are those that were read last */
};

/*
 * Looks whether the files have changed (inode, size, time) and reads them again. 0: new
 * connections get the new certificate; HTTP_TLS_E_UNCHANGED; or -EINVAL with a sentence, once per
 * change, after which the old one stays. One caller at a time; the server may run.
 */
int http_tls_reload(HttpTls *tls, Arena *arena, const char **reterr_text);

/* When the certificate expires, in seconds since 1970 (UTC). Any thread. */
int64_t http_tls_expires_s(HttpTls *tls);
