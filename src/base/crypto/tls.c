/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/tls.h"

#include "base/error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

TlsFiles tls_files_copy(const TlsFiles *files, Arena *arena) {
    return (TlsFiles){
        .authorities = arena_strdup(arena, str_from(files->authorities ? files->authorities : "")),
        .own = arena_strdup(arena, str_from(files->own ? files->own : "")),
    };
}

static int on_verify(int good, X509_STORE_CTX *chain) {
    const SSL *tls = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    int *refusal = SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls));

    if (!good && refusal) {
        *refusal = X509_STORE_CTX_get_error(chain);
    }
    return good;
}

int tls_trust(SSL_CTX *context, const TlsFiles *files, const char *host, int *ret_refusal) {
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    int good = files->authorities[0] ? SSL_CTX_load_verify_file(context, files->authorities)
                                     : SSL_CTX_set_default_verify_paths(context);

    if (good && files->own[0]) {
        good = SSL_CTX_use_certificate_chain_file(context, files->own) == 1 &&
               SSL_CTX_use_PrivateKey_file(context, files->own, SSL_FILETYPE_PEM) == 1;
    }
    if (good && !X509_VERIFY_PARAM_set1_ip_asc(param, host)) {
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        good = X509_VERIFY_PARAM_set1_host(param, host, 0);
    }
    good = good && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    ERR_clear_error();
    SSL_CTX_set_app_data(context, ret_refusal);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verify);
    return good ? 0 : err_trace(-EINVAL);
}

void tls_forget_refusal(SSL_CTX *context) {
    SSL_CTX_set_app_data(context, NULL);
}

const char *tls_refusal_text(int refusal) {
    switch (refusal) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "its certificate is for another host name: give the name that the certificate "
               "has, or give the server a certificate for this one";
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "its certificate has expired: give the server a new one";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "its certificate is not valid yet: look at the clocks of both machines";
    default:
        return "its certificate is not of an authority that is trusted: name the authority's PEM "
               "file with trusted-certificates";
    }
}
