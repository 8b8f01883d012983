/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies in pieces, readers and streams over TLS, whose records do not end where pieces do. */
#include "base/http/server_testing.h"
#include "base/http/stream.h"

#include "base/fd.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE ((size_t)5000000)

static _Atomic(HttpStream *) opened;

static char byte_at(uint64_t position) {
    return (char)('a' + (position * 7 + position / 1000) % 26);
}

static void *begin(HttpRequest *request, void *context) {
    (void)request, (void)context;
    return calloc(1, sizeof(uint64_t));
}

/* Ends early when something is wrong. */
static bool piece(HttpRequest *request, void *state, Str bytes) {
    uint64_t *at = state;

    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] != byte_at((*at)++)) {
            free(state);
            http_respond(request, &(HttpResponse){.status = 409, .body = str_lit("wrong")});
            return false;
        }
    }
    return true;
}

static void end(HttpRequest *request, void *state, HttpBodyEnd how) {
    uint64_t at = *(uint64_t *)state;

    free(state);
    http_respond(
        request,
        &(HttpResponse){.status = 200,
                        .body = str_from(arena_printf(http_request_arena(request), "%s took %llu.",
                                                      how == HTTP_BODY_WHOLE ? "all" : "some",
                                                      (unsigned long long)at))});
}

static int read_some(void *state, uint64_t offset, void *bytes, size_t max, size_t *ret_n) {
    (void)state;
    for (size_t i = 0; i < max; i++) {
        ((char *)bytes)[i] = byte_at(offset + i);
    }
    *ret_n = max;
    return 0;
}

static void done(void *state) {
    server_testing_gone(NULL, state);
}

static void source(HttpRequest *request, void *context) {
    ServerFixture *fixture = context;

    http_respond_reader(request, &(HttpResponse){.status = 200}, SIZE,
                        &(HttpReader){read_some, done, fixture, fixture->workers});
}

static void events(HttpRequest *request, void *context) {
    atomic_store(&opened, http_respond_stream(request, &(HttpResponse){.status = 200},
                                              (size_t)1 << 20, done, context));
}

static const HttpBodyStream take = {begin, piece, end};
static const HttpRoute routes[] = {
    {"POST", "/tls/take", .body_max = SIZE * 2, .body = &take},
    {"GET", "/tls/source", source, 0},
    {"GET", "/tls/events", events, 0, .blocks = true},
    {NULL},
};

static void write_pem(const char *path, const gnutls_datum_t *pem) {
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_int_equal(fwrite(pem->data, 1, pem->size, file), pem->size);
    assert_int_equal(fclose(file), 0);
}

/* A key and a certificate signed with it, for a day. */
static void make_certificate(const char *certificate_path, const char *key_path) {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t pem;

    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, "\1", 1);
    gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 60);
    gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 86400);
    gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, "localhost", 9);
    gnutls_x509_crt_set_key(certificate, key);
    assert_int_equal(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_pem(certificate_path, &pem);
    gnutls_free(pem.data);
    assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_pem(key_path, &pem);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

typedef struct Tls {
    ServerFixture *fixture;
    HttpTls *tls;
    Arena *arena;
} Tls;

static int start(void **state) {
    Tls *tls = calloc(1, sizeof(*tls));
    char folder[] = "/tmp/stream_tls_test.XXXXXX", certificate[64], key[64];
    const char *error = "";
    void *fixture;

    assert_non_null(mkdtemp(folder));
    snprintf(certificate, sizeof(certificate), "%s/certificate.pem", folder);
    snprintf(key, sizeof(key), "%s/key.pem", folder);
    make_certificate(certificate, key);
    tls->arena = arena_new();
    if (http_tls_new(certificate, key, tls->arena, &tls->tls, &error) < 0) {
        fail_msg("%s", error);
    }
    unlink(certificate);
    unlink(key);
    rmdir(folder);
    atomic_store(&opened, NULL);
    tls->fixture = server_testing_start_with(&fixture, (HttpOptions){.tls = tls->tls},
                                             (HttpRouteGroup){.prefix = "/tls/", .routes = routes});
    *state = tls;
    return 0;
}

static int stop(void **state) {
    Tls *tls = *state;
    void *fixture = tls->fixture;

    server_testing_stop(&fixture);
    http_tls_free(tls->tls);
    arena_free(tls->arena);
    free(tls);
    return 0;
}

typedef struct Client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
} Client;

static void hang_up(Client *client) {
    gnutls_bye(client->session, GNUTLS_SHUT_WR);
    gnutls_deinit(client->session);
    gnutls_certificate_free_credentials(client->credentials);
    client->fd = fd_close(client->fd);
}

static void dial(const Tls *tls, Client *client) {
    int r;

    client->fd = server_testing_dial(tls->fixture);
    assert_int_equal(gnutls_certificate_allocate_credentials(&client->credentials), 0);
    assert_int_equal(gnutls_init(&client->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL), 0);
    gnutls_set_default_priority(client->session);
    gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials);
    gnutls_transport_set_int(client->session, client->fd);
    while ((r = gnutls_handshake(client->session)) < 0 && !gnutls_error_is_fatal(r)) {
    }
    assert_int_equal(r, 0);
}

static void say(const Client *client, Str text) {
    while (text.len > 0) {
        ssize_t n = gnutls_record_send(client->session, text.ptr, text.len);
        assert_true(n > 0);
        text.ptr += n;
        text.len -= (size_t)n;
    }
}

/* Until the reply has `len` bytes, or the text occurs in it, or its end when both are 0. */
static void hear(const Client *client, size_t len, const char *until, Buf *reply) {
    while ((len == 0 || reply->len < len) && !(until && strstr(buf_cstr(reply), until))) {
        ssize_t n = gnutls_record_recv(client->session, buf_reserve(reply, 65536), 65536);
        if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
            continue;
        }
        if (n <= 0) {
            assert_true(len == 0 && !until);
            return;
        }
        reply->len += (size_t)n;
        buf_add(reply, "", 0);
    }
}

static void uploads_and_downloads(void **state) {
    const Tls *tls = *state;
    _cleanup_(buf_done) Buf body = BUF_INIT, reply = BUF_INIT, head = BUF_INIT;
    Client client;
    size_t head_len;

    for (size_t i = 0; i < SIZE; i++) {
        buf_reserve(&body, 1)[0] = byte_at(i);
        body.len++;
    }
    dial(tls, &client);
    for (int round = 0; round < 2; round++) {
        buf_done(&head);
        buf_addf(&head, "POST /tls/take HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", SIZE);
        say(&client, buf_str(&head));
        say(&client, buf_str(&body));
        buf_done(&reply);
        hear(&client, 0, "took", &reply);
        hear(&client, 0, "5000000.", &reply);
        server_testing_says(&reply, "all took 5000000.");
        buf_done(&reply);
        say(&client, str_lit("GET /tls/source HTTP/1.1\r\nHost: x\r\n\r\n"));
        hear(&client, 0, "\r\n\r\n", &reply);
        head_len = (size_t)(strstr(reply.data, "\r\n\r\n") + 4 - reply.data);
        hear(&client, head_len + SIZE, NULL, &reply);
        assert_memory_equal(reply.data + head_len, body.data, SIZE);
    }
    hang_up(&client);
}

static void a_refusal_amid_the_body(void **state) {
    const Tls *tls = *state;
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    Client client;

    dial(tls, &client);
    say(&client, str_lit("POST /tls/take HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n???"));
    hear(&client, 0, "wrong", &reply);
    server_testing_says(&reply, "HTTP/1.1 409 Conflict\r\n");
    hang_up(&client);
}

static void streams(void **state) {
    const Tls *tls = *state;
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    static char kilobytes[100 * 1024];
    HttpStream *stream;
    size_t sent = 0, head_len;
    Client client;

    for (int round = 0; round < 2; round++) {
        dial(tls, &client);
        buf_done(&reply);
        sent = 0;
        say(&client, str_lit("GET /tls/events HTTP/1.1\r\nHost: x\r\n\r\n"));
        hear(&client, 0, "\r\n\r\n", &reply);
        head_len = reply.len;
        while (!(stream = atomic_exchange(&opened, NULL))) {
            sched_yield();
        }
        assert_int_equal(http_stream_write(stream, str_lit("data: 1\n\n")), 0);
        hear(&client, 0, "data: 1\n\n", &reply);
        memset(kilobytes, 'x', sizeof(kilobytes));
        while (http_stream_write(stream, (Str){kilobytes, sizeof(kilobytes)}) == 0) {
            sent += sizeof(kilobytes); /* more than the socket takes at once */
        }
        if (round == 0) {
            http_stream_end(stream);
            hear(&client, 0, NULL, &reply);
            assert_int_equal(reply.len, head_len + 9 + sent);
            hang_up(&client);
        } else {
            hang_up(&client);
            server_testing_wait(tls->fixture, &tls->fixture->gone, 1);
            assert_int_equal(http_stream_write(stream, str_lit("x")), -EPIPE);
            http_stream_end(stream);
        }
        server_testing_wait(tls->fixture, &tls->fixture->finished, (unsigned)round + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(uploads_and_downloads, start, stop),
        cmocka_unit_test_setup_teardown(a_refusal_amid_the_body, start, stop),
        cmocka_unit_test_setup_teardown(streams, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
