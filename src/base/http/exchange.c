/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/exchange.h"

#include "base/error.h"

#include <curl/curl.h>
#include <poll.h>

#define CONNECT_TIMEOUT_MS 20000L
#define HEADERS_MAX        64

DEFINE_CLEANUP(struct curl_slist *, curl_slist_free_all)

struct HttpSession {
    CURL *curl;
};

/* A call under way. */
typedef struct Course {
    CURL *curl;
    const HttpExchange *exchange;
    Buf body;
    int result; /* what a callback ended it with */
} Course;

HttpSession *http_session_new(void) {
    HttpSession *session = calloc(1, sizeof(*session));

    if (!session || !(session->curl = curl_easy_init())) {
        abort(); /* nothing but exhausted memory */
    }
    return session;
}

HttpSession *http_session_free(HttpSession *session) {
    if (session) {
        curl_easy_cleanup(session->curl);
        free(session);
    }
    return NULL;
}

static size_t give(char *bytes, size_t size, size_t n, void *userdata) {
    Course *course = userdata;
    size_t given = 0;
    int r = course->exchange->read(course->exchange->userdata, bytes, size * n, &given);

    if (r < 0) {
        course->result = r;
        return CURL_READFUNC_ABORT;
    }
    return given;
}

static size_t take(char *bytes, size_t size, size_t n, void *userdata) {
    Course *course = userdata;
    long status = 0;
    int r;

    n *= size;
    curl_easy_getinfo(course->curl, CURLINFO_RESPONSE_CODE, &status);
    if (course->exchange->write && status >= 200 && status <= 299) {
        r = course->exchange->write(course->exchange->userdata, (unsigned)status, (Str){bytes, n});
        course->result = MIN(r, 0);
        return r < 0 ? 0 : n; /* 0 is an error to libcurl */
    }
    if (n > HTTP_EXCHANGE_ANSWER_MAX - course->body.len) {
        return 0;
    }
    buf_add(&course->body, bytes, n);
    return n;
}

static int keep_going(void *userdata, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                      curl_off_t up) {
    Course *course = userdata;
    struct pollfd stop = {.fd = course->exchange->stop_fd, .events = POLLIN};

    (void)down_total, (void)down, (void)up_total, (void)up;
    if (stop.fd >= 0 && poll(&stop, 1, 0) > 0) {
        course->result = -EINTR;
        return 1;
    }
    return 0;
}

static struct curl_slist *headers_of(const HttpExchange *exchange) {
    struct curl_slist *headers = NULL;

    for (size_t i = 0; exchange->headers && exchange->headers[i]; i++) {
        headers = curl_slist_append(headers, exchange->headers[i]);
        if (!headers) {
            abort(); /* exhausted memory */
        }
    }
    return headers;
}

static void set_body(CURL *curl, const HttpExchange *exchange, Course *course) {
    if (strcmp(exchange->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        return;
    }
    if (exchange->read) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(curl, CURLOPT_READDATA, course);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)exchange->body_len);
    } else if (exchange->body.len > 0 || strcmp(exchange->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                         exchange->body.len > 0 ? exchange->body.ptr : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body.len);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, exchange->method);
}

static void set_up(CURL *curl, const HttpExchange *exchange, Course *course, char *error) {
    curl_easy_setopt(curl, CURLOPT_URL, exchange->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "imagesync/" IMAGESYNC_VERSION);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)exchange->silence_s);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, course);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, keep_going);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, course);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    if (exchange->ca_file) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, exchange->ca_file);
    }
    set_body(curl, exchange, course);
}

static void read_answer(const Course *course, Arena *arena, HttpClientAnswer *ret_answer) {
    HttpClientHeader *headers = arena_alloc(arena, HEADERS_MAX * sizeof(*headers));
    HttpClientAnswer answer = {
        .body = {arena_strdup(arena, buf_str(&course->body)), course->body.len},
        .headers = headers};
    struct curl_header *header = NULL;

    curl_easy_getinfo(course->curl, CURLINFO_RESPONSE_CODE, &answer.status);
    while (answer.n_headers < HEADERS_MAX &&
           (header = curl_easy_nextheader(course->curl, CURLH_HEADER, -1, header))) {
        headers[answer.n_headers++] =
            (HttpClientHeader){.name = arena_strdup(arena, str_from(header->name)),
                               .value = arena_strdup(arena, str_from(header->value))};
    }
    *ret_answer = answer;
}

int http_exchange(HttpSession *session, const HttpExchange *exchange, Arena *arena,
                  HttpClientAnswer *ret_answer, const char **reterr) {
    _cleanup_(curl_slist_free_allp) struct curl_slist *headers = headers_of(exchange);
    Course course = {.curl = session->curl, .exchange = exchange, .body = BUF_INIT};
    char error[CURL_ERROR_SIZE] = "";
    CURLcode code;
    int r = 0;

    set_up(session->curl, exchange, &course, error);
    curl_easy_setopt(session->curl, CURLOPT_HTTPHEADER, headers);
    code = curl_easy_perform(session->curl);
    if (code == CURLE_OK) {
        read_answer(&course, arena, ret_answer);
    } else if (course.result < 0) {
        r = course.result;
    } else {
        *reterr = arena_strdup(arena, str_from(error[0] ? error : curl_easy_strerror(code)));
        r = -ENOTCONN;
    }
    curl_easy_reset(session->curl); /* nothing of this call stays but the connection */
    buf_done(&course.body);
    return r;
}
