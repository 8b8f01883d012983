/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/http/fetch.h"
#include "base/test.h"
#include "base/wait.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE_LIMIT 100000

/* A server of canned answers, one connection after the other. */
typedef struct Fixture {
    int listen_fd;
    uint16_t port;
    pthread_t thread;
    Netguard guard;
    Fetcher *fetcher;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned done, asked;
    FetchStatus status;
    char detail[200];
    char body[64];
    uint64_t len;
    bool sealed;
} Fixture;

static void answer(int fd, const char *request) {
    char text[5000];
    char target[4000];

    if (sscanf(request, "GET /to?%3999s ", target) == 1) {
        snprintf(text, sizeof(text),
                 "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 4\r\n\r\nmove", target);
    } else if (strstr(request, "GET /loop ")) {
        snprintf(text, sizeof(text),
                 "HTTP/1.1 301 Gone on\r\nLocation: /loop\r\n"
                 "Content-Length: 0\r\n\r\n");
    } else if (strstr(request, "GET /photo ")) {
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nphoto");
    } else if (strstr(request, "GET /my%20photo?a=+b ")) {
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine");
    } else if (strstr(request, "POST /form ")) {
        bool good = strstr(request, "\r\nAuthorization: Basic YTpi\r\n") &&
                    strstr(request, "\r\nAccept: application/json\r\n") &&
                    strstr(request, "\r\nContent-Type: application/x-www-form-urlencoded\r\n") &&
                    strstr(request, "\r\n\r\na=1&b=%20");
        const char *said = good ? "right" : "wrong";
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%s", said);
    } else if (strstr(request, "GET /empty ")) {
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    } else if (strstr(request, "GET /announced ")) {
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                 SIZE_LIMIT + 1);
    } else if (strstr(request, "GET /endless ")) {
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n\r\n");
        send(fd, text, strlen(text), MSG_NOSIGNAL);
        memset(text, 'x', sizeof(text));
        while (send(fd, text, sizeof(text), MSG_NOSIGNAL) > 0) {
        }
        return;
    } else if (strstr(request, "GET /hang ")) {
        while (recv(fd, text, sizeof(text), 0) > 0) {
        }
        return;
    } else {
        snprintf(text, sizeof(text), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
    send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* With the body that its header announces. */
static bool is_whole(const char *request) {
    const char *body = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
    unsigned long len = length ? strtoul(length + strlen("Content-Length: "), NULL, 10) : 0;

    return body && strlen(body + 4) >= len;
}

static void *serve(void *userdata) {
    Fixture *fixture = userdata;
    int fd;

    while ((fd = accept(fixture->listen_fd, NULL, NULL)) >= 0) {
        char request[5000];
        size_t len = 0;
        ssize_t n;
        while (len < sizeof(request) - 1 &&
               (n = recv(fd, request + len, sizeof(request) - 1 - len, 0)) > 0) {
            len += (size_t)n;
            request[len] = '\0';
            if (is_whole(request)) {
                pthread_mutex_lock(&fixture->lock);
                fixture->asked++;
                pthread_cond_broadcast(&fixture->changed);
                pthread_mutex_unlock(&fixture->lock);
                answer(fd, request);
                break;
            }
        }
        fd_close(fd);
    }
    return NULL;
}

static int set_up(void **state) {
    Fixture *fixture = calloc(1, sizeof(*fixture));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);

    fixture->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture->listen_fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fixture->listen_fd, 10), 0);
    assert_int_equal(getsockname(fixture->listen_fd, (struct sockaddr *)&address, &len), 0);
    fixture->port = ntohs(address.sin_port);
    pthread_mutex_init(&fixture->lock, NULL);
    pthread_cond_init(&fixture->changed, NULL);
    assert_int_equal(pthread_create(&fixture->thread, NULL, serve, fixture), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    Fixture *fixture = *state;

    fetcher_free(fixture->fetcher);
    shutdown(fixture->listen_fd, SHUT_RDWR);
    pthread_join(fixture->thread, NULL);
    fd_close(fixture->listen_fd);
    pthread_cond_destroy(&fixture->changed);
    pthread_mutex_destroy(&fixture->lock);
    free(fixture);
    return 0;
}

static void start(Fixture *fixture, const char *allowed, FetchOptions options) {
    Str at;

    assert_int_equal(netguard_allow(&fixture->guard, str_from(allowed), &at), 0);
    options.threads = 1;
    options.queue_max = options.queue_max ? options.queue_max : 4;
    options.size_max = SIZE_LIMIT;
    options.timeout_ms = options.timeout_ms ? options.timeout_ms : 8000;
    options.connect_timeout_ms = 5000;
    options.redirects_max = 3;
    options.guard = &fixture->guard;
    assert_int_equal(fetcher_new(&options, &fixture->fetcher), 0);
}

static void note(FetchResult *result, void *userdata) {
    Fixture *fixture = userdata;

    pthread_mutex_lock(&fixture->lock);
    fixture->done++;
    fixture->status = result->status;
    snprintf(fixture->detail, sizeof(fixture->detail), "%s", result->detail ? result->detail : "");
    fixture->len = result->len;
    memset(fixture->body, 0, sizeof(fixture->body));
    if (result->fd >= 0) {
        if (pread(result->fd, fixture->body, sizeof(fixture->body) - 1, 0) < 0) {
            fixture->status = FETCH_FAILED;
        }
        fixture->sealed = write(result->fd, "x", 1) < 0;
    }
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static void wait_for(Fixture *fixture, const unsigned *counter, unsigned least) {
    uint64_t until_ms = clock_mono_ms() + 15000;

    pthread_mutex_lock(&fixture->lock);
    while (*counter < least) {
        assert_true(wait_until(&fixture->changed, &fixture->lock, until_ms));
    }
    pthread_mutex_unlock(&fixture->lock);
}

static FetchStatus fetch(Fixture *fixture, const char *url) {
    unsigned before = fixture->done;
    uint64_t ticket;

    fetcher_get(fixture->fetcher, url, note, fixture, &ticket);
    wait_for(fixture, &fixture->done, before + 1);
    return fixture->status;
}

static FetchStatus fetch_here(Fixture *fixture, const char *host, const char *path) {
    _cleanup_(buf_done) Buf url = BUF_INIT;
    buf_addf(&url, "http://%s:%u%s", host, fixture->port, path);
    return fetch(fixture, url.data);
}

static void fetches_what_is_there(void **state) {
    Fixture *fixture = *state;

    start(fixture, "127.0.0.1", (FetchOptions){0});
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/photo"), FETCH_OK);
    assert_string_equal(fixture->body, "photo");
    assert_int_equal(fixture->len, 5);
    assert_true(fixture->sealed);
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/to?/to?/photo"), FETCH_OK);
    assert_string_equal(fixture->body, "photo");
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/my photo?a= b#part"), FETCH_OK);
    assert_string_equal(fixture->body, "mine");
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/empty"), FETCH_FAILED);
    assert_non_null(strstr(fixture->detail, "without a file"));
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/missing"), FETCH_FAILED);
    assert_non_null(strstr(fixture->detail, "404"));
}

static void inner_addresses_are_refused_in_every_spelling(void **state) {
    static const char *const hosts[] = {
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "017700000001",
        "localhost",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0",
        "0.0.0.0",
        "[::]",
        "[::127.0.0.1]",

        "[64:ff9b::127.0.0.1]",
    };
    Fixture *fixture = *state;

    start(fixture, "", (FetchOptions){0});
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        if (fetch_here(fixture, hosts[i], "/photo") != FETCH_FORBIDDEN) {
            fail_msg("%s: %d %s", hosts[i], fixture->status, fixture->detail);
        }
    }
    assert_int_equal(fixture->asked, 0);
}

/* So the refusals above came from the address and not from its spelling. */
static void an_exception_covers_every_spelling(void **state) {
    static const char *const hosts[] = {"127.1", "0x7f.1", "2130706433", "017700000001"};
    Fixture *fixture = *state;

    start(fixture, "127.0.0.1/32", (FetchOptions){0});
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        assert_int_equal(fetch_here(fixture, hosts[i], "/photo"), FETCH_OK);
    }
    assert_int_equal(fetch_here(fixture, "127.0.0.2", "/photo"), FETCH_FORBIDDEN);
}

static void redirects_pass_the_same_checks(void **state) {
    Fixture *fixture = *state;

    start(fixture, "127.0.0.1", (FetchOptions){0});
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/to?http://169.254.169.254/latest"),
                     FETCH_FORBIDDEN);
    assert_null(strstr(fixture->detail, "169.254"));
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/to?http://[::1]/"), FETCH_FORBIDDEN);
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/to?file:///etc/passwd"), FETCH_BAD_URL);
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/to?http://me:you@127.0.0.1/"),
                     FETCH_BAD_URL);
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/loop"), FETCH_FAILED);
    assert_non_null(strstr(fixture->detail, "too often"));
}

static void odd_urls_are_refused(void **state) {
    static const char *const urls[] = {
        "",
        "photo.jpg",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "gopher://127.0.0.1/x",
        "dict://127.0.0.1/x",
        "http://",
        "http://user@127.0.0.1/",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1\r\nX: y/",
        "http://a b/",
    };
    Fixture *fixture = *state;
    char longer[5000];

    start(fixture, "127.0.0.1", (FetchOptions){0});
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        if (fetch(fixture, urls[i]) != FETCH_BAD_URL) {
            fail_msg("%s: %d %s", urls[i], fixture->status, fixture->detail);
        }
    }
    memset(longer, 'a', sizeof(longer) - 1);
    memcpy(longer, "http://127.0.0.1/", 17);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(fetch(fixture, longer), FETCH_BAD_URL);
    assert_int_equal(fixture->asked, 0);
}

static void size_is_limited_by_word_and_by_count(void **state) {
    Fixture *fixture = *state;

    start(fixture, "127.0.0.1", (FetchOptions){0});
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/announced"), FETCH_TOO_LARGE);
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/endless"), FETCH_TOO_LARGE);
    assert_non_null(strstr(fixture->detail, "more than 100000 bytes"));
}

static void time_is_limited(void **state) {
    Fixture *fixture = *state;
    uint64_t start_ms = clock_mono_ms();

    start(fixture, "127.0.0.1", (FetchOptions){.timeout_ms = 300});
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/hang"), FETCH_FAILED);
    assert_non_null(strstr(fixture->detail, "in time"));
    assert_in_range(clock_mono_ms() - start_ms, 250, 5000);
}

static void can_be_cancelled_and_never_queues_without_end(void **state) {
    Fixture *fixture = *state;
    _cleanup_(buf_done) Buf url = BUF_INIT;
    uint64_t first, second, third;

    start(fixture, "127.0.0.1", (FetchOptions){.queue_max = 1});
    buf_addf(&url, "http://127.0.0.1:%u/hang", fixture->port);
    fetcher_get(fixture->fetcher, url.data, note, fixture, &first);
    wait_for(fixture, &fixture->asked, 1);
    fetcher_get(fixture->fetcher, url.data, note, fixture, &second);
    assert_int_equal(fixture->done, 0);
    fetcher_get(fixture->fetcher, url.data, note, fixture, &third);
    assert_int_equal(fixture->done, 1);
    assert_int_equal(fixture->status, FETCH_BUSY);
    /* What waits is over at once, and its place free for another. */
    fetcher_cancel(fixture->fetcher, second);
    assert_int_equal(fixture->done, 2);
    assert_int_equal(fixture->status, FETCH_FAILED);
    fetcher_get(fixture->fetcher, url.data, note, fixture, &second);
    assert_int_equal(fixture->done, 2);
    fetcher_cancel(fixture->fetcher, second);
    fetcher_cancel(fixture->fetcher, first);
    fetcher_cancel(fixture->fetcher, 12345);
    wait_for(fixture, &fixture->done, 4);
    assert_int_equal(fixture->status, FETCH_FAILED);
    assert_non_null(strstr(fixture->detail, "cancelled"));
    assert_int_equal(fixture->asked, 1);
}

static void forms_are_sent_and_waited_for(void **state) {
    Fixture *fixture = *state;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(buf_done) Buf url = BUF_INIT;
    char body[8] = "";
    FetchResult result;

    start(fixture, "127.0.0.1", (FetchOptions){0});
    buf_addf(&url, "http://127.0.0.1:%u/form", fixture->port);
    fetcher_call(fixture->fetcher,
                 &(FetchRequest){.url = url.data,
                                 .form = "a=1&b=%20",
                                 .authorization = "Basic YTpi",
                                 .accept = "application/json"},
                 arena, &result);
    assert_int_equal(result.status, FETCH_OK);
    assert_int_equal(result.len, 5);
    assert_int_equal(fd_pread_all(result.fd, body, 5, 0), 0);
    assert_string_equal(body, "right");
    fd_close(result.fd);
    fetcher_call(fixture->fetcher, &(FetchRequest){.url = url.data, .form = ""}, arena, &result);
    assert_int_equal(result.status, FETCH_OK);
    assert_int_equal(fd_pread_all(result.fd, body, 5, 0), 0);
    assert_string_equal(body, "wrong");
    fd_close(result.fd);
    fetcher_call(fixture->fetcher, &(FetchRequest){.url = "ftp://127.0.0.1/"}, arena, &result);
    assert_int_equal(result.status, FETCH_BAD_URL);
    assert_int_equal(result.fd, -1);
    assert_non_null(strstr(result.detail, "http://"));
}

static void the_environment_sets_no_proxy(void **state) {
    Fixture *fixture = *state;

    start(fixture, "127.0.0.1", (FetchOptions){0});
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    assert_int_equal(fetch_here(fixture, "127.0.0.1", "/photo"), FETCH_OK);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_server(fetches_what_is_there),
        with_server(inner_addresses_are_refused_in_every_spelling),
        with_server(an_exception_covers_every_spelling),
        with_server(redirects_pass_the_same_checks),
        with_server(odd_urls_are_refused),
        with_server(size_is_limited_by_word_and_by_count),
        with_server(time_is_limited),
        with_server(can_be_cancelled_and_never_queues_without_end),
        with_server(forms_are_sent_and_waited_for),
        with_server(the_environment_sets_no_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
