/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/tls_internal.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <sys/stat.h>

#define FILE_SIZE_MAX ((size_t)1 << 20)
#define CHAIN_MAX     16

/* What was read at once. */
typedef struct Pair {
    gnutls_x509_crt_t *chain;
    unsigned chain_len;
    gnutls_x509_privkey_t key;
} Pair;

/* What tells one version of a file from another. */
typedef struct Version {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
} Version;

struct HttpTls {
    char *certificate_path, *key_path;
    Version versions[2]; /* of the files as they were when they were looked at last */
    pthread_mutex_t lock;
    Pair pair; /* guarded by the lock */
};

static void pair_done(Pair *pair) {
    for (unsigned i = 0; i < pair->chain_len; i++) {
        gnutls_x509_crt_deinit(pair->chain[i]);
    }
    gnutls_free(pair->chain);
    if (pair->key) {
        gnutls_x509_privkey_deinit(pair->key);
    }
    *pair = (Pair){0};
}

static int read_file(const char *path, bool secret, Arena *arena, Buf *text,
                     const char **reterr_text) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    int r;

    if (fd < 0 || fstat(fd, &status) < 0) {
        *reterr_text = arena_printf(arena, "cannot read %s: %s", path, strerrordesc_np(errno));
        return -EINVAL;
    }
    if (secret && (status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        *reterr_text = arena_printf(
            arena, "the key %s is open to other users of this machine; run: chmod 600 %s", path,
            path);
        return -EINVAL;
    }
    buf_reserve(text, (size_t)64 << 10); /* at once, so that no copies of a key are left behind */
    r = fd_read_to_end(fd, FILE_SIZE_MAX, text);
    if (r < 0) {
        *reterr_text = arena_printf(arena, "cannot read %s: %s", path, strerrordesc_np(-r));
        return -EINVAL;
    }
    return 0;
}

static gnutls_datum_t datum(const Buf *text) {
    return (gnutls_datum_t){(unsigned char *)text->data, (unsigned)text->len};
}

static int read_chain(const char *path, Arena *arena, Pair *pair, const char **reterr_text) {
    _cleanup_(buf_done) Buf text = BUF_INIT;
    gnutls_datum_t pem;
    int r = read_file(path, false, arena, &text, reterr_text);

    if (r < 0) {
        return r;
    }
    pem = datum(&text);
    r = gnutls_x509_crt_list_import2(&pair->chain, &pair->chain_len, &pem, GNUTLS_X509_FMT_PEM,
                                     GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (r < 0) {
        *reterr_text =
            r == GNUTLS_E_CERTIFICATE_LIST_UNSORTED
                ? arena_printf(arena,
                               "the certificates in %s are out of order; the server's comes "
                               "first, then the one that signed it, and so on",
                               path)
                : arena_printf(arena, "%s holds no certificate in PEM that can be read: %s", path,
                               gnutls_strerror(r));
        return -EINVAL;
    }
    if (pair->chain_len > CHAIN_MAX) {
        *reterr_text = arena_printf(arena, "%s holds more than %d certificates", path, CHAIN_MAX);
        return -EINVAL;
    }
    return 0;
}

static int read_key(const char *path, Arena *arena, Pair *pair, const char **reterr_text) {
    Buf text = BUF_INIT;
    int r = read_file(path, true, arena, &text, reterr_text);

    if (r == 0) {
        gnutls_datum_t pem = datum(&text);
        if (gnutls_x509_privkey_init(&pair->key) < 0) {
            abort(); /* exhausted memory */
        }
        r = gnutls_x509_privkey_import2(pair->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (r == GNUTLS_E_DECRYPTION_FAILED || strstr(buf_cstr(&text), "ENCRYPTED")) {
            *reterr_text =
                arena_printf(arena, "the key %s is encrypted; give one without a passphrase", path);
            r = -EINVAL;
        } else if (r < 0) {
            *reterr_text =
                arena_printf(arena, "%s holds no private key in PEM that can be read: %s", path,
                             gnutls_strerror(r));
            r = -EINVAL;
        }
    }
    if (text.data) {
        explicit_bzero(text.data, text.len);
    }
    buf_done(&text);
    return r;
}

static bool belong_together(const Pair *pair) {
    unsigned char of_key[64], of_certificate[64];
    size_t key_len = sizeof(of_key), certificate_len = sizeof(of_certificate);

    return gnutls_x509_privkey_get_key_id(pair->key, GNUTLS_KEYID_USE_SHA256, of_key, &key_len) >=
               0 &&
           gnutls_x509_crt_get_key_id(pair->chain[0], GNUTLS_KEYID_USE_SHA256, of_certificate,
                                      &certificate_len) >= 0 &&
           key_len == certificate_len && memcmp(of_key, of_certificate, key_len) == 0;
}

static int read_pair(const HttpTls *tls, Arena *arena, Pair *ret_pair, const char **reterr_text) {
    _cleanup_(pair_done) Pair pair = {0};
    int r = read_chain(tls->certificate_path, arena, &pair, reterr_text);

    if (r == 0) {
        r = read_key(tls->key_path, arena, &pair, reterr_text);
    }
    if (r == 0 && !belong_together(&pair)) {
        *reterr_text = arena_printf(arena, "the key %s is not that of the certificate %s",
                                    tls->key_path, tls->certificate_path);
        r = -EINVAL;
    }
    if (r == 0) {
        *ret_pair = pair;
        pair = (Pair){0};
    }
    return r;
}

static void look(const HttpTls *tls, Version ret_versions[2]) {
    const char *const paths[] = {tls->certificate_path, tls->key_path};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct stat status;
        ret_versions[i] = (Version){0};
        if (stat(paths[i], &status) == 0) {
            ret_versions[i].device = status.st_dev;
            ret_versions[i].inode = status.st_ino;
            ret_versions[i].size = status.st_size;
            /* Also of a chmod, which may be what was wrong. */
            ret_versions[i].modified = status.st_ctim;
        }
    }
}

static bool same(const Version *a, const Version *b) {
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

int http_tls_new(const char *certificate, const char *key, Arena *arena, HttpTls **ret_tls,
                 const char **reterr_text) {
    _cleanup_(http_tls_freep) HttpTls *tls = calloc(1, sizeof(*tls));
    int r;

    if (!tls || !(tls->certificate_path = strdup(certificate)) || !(tls->key_path = strdup(key))) {
        abort();
    }
    pthread_mutex_init(&tls->lock, NULL);
    look(tls, tls->versions); /* before reading: what changes meanwhile is seen again */
    r = read_pair(tls, arena, &tls->pair, reterr_text);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_tls = TAKE_PTR(tls);
    return 0;
}

HttpTls *http_tls_free(HttpTls *tls) {
    if (tls) {
        pair_done(&tls->pair);
        pthread_mutex_destroy(&tls->lock);
        free(tls->certificate_path);
        free(tls->key_path);
        free(tls);
    }
    return NULL;
}

int http_tls_reload(HttpTls *tls, Arena *arena, const char **reterr_text) {
    Version versions[2];
    Pair pair, old;
    int r;

    look(tls, versions);
    if (same(&versions[0], &tls->versions[0]) && same(&versions[1], &tls->versions[1])) {
        return HTTP_TLS_E_UNCHANGED;
    }
    tls->versions[0] = versions[0];
    tls->versions[1] = versions[1];
    r = read_pair(tls, arena, &pair, reterr_text);
    if (r < 0) {
        return err_trace(r);
    }
    pthread_mutex_lock(&tls->lock);
    old = tls->pair;
    tls->pair = pair;
    pthread_mutex_unlock(&tls->lock);
    pair_done(&old);
    return 0;
}

int64_t http_tls_expires_s(HttpTls *tls) {
    int64_t expires;

    pthread_mutex_lock(&tls->lock);
    expires = gnutls_x509_crt_get_expiration_time(tls->pair.chain[0]);
    pthread_mutex_unlock(&tls->lock);
    return expires;
}

static int copy_chain(const Pair *pair, gnutls_pcert_st *chain, unsigned *n) {
    for (*n = 0; *n < pair->chain_len; (*n)++) {
        if (gnutls_pcert_import_x509(&chain[*n], pair->chain[*n], 0) < 0) {
            return -1;
        }
    }
    return 0;
}

int tls_retrieve(HttpTls *tls, gnutls_pcert_st **ret_chain, unsigned *ret_chain_len,
                 gnutls_privkey_t *ret_key) {
    gnutls_pcert_st *chain = gnutls_calloc(CHAIN_MAX, sizeof(*chain));
    gnutls_privkey_t key = NULL;
    unsigned n = 0;
    int r;

    if (!chain || gnutls_privkey_init(&key) < 0) {
        gnutls_free(chain);
        return -1;
    }
    pthread_mutex_lock(&tls->lock);
    r = copy_chain(&tls->pair, chain, &n);
    if (r == 0) {
        r = gnutls_privkey_import_x509(key, tls->pair.key, GNUTLS_PRIVKEY_IMPORT_COPY);
    }
    pthread_mutex_unlock(&tls->lock);
    if (r < 0) {
        for (unsigned i = 0; i < n; i++) {
            gnutls_pcert_deinit(&chain[i]);
        }
        gnutls_free(chain);
        gnutls_privkey_deinit(key);
        return -1;
    }
    *ret_chain = chain;
    *ret_chain_len = n;
    *ret_key = key;
    return 0;
}
