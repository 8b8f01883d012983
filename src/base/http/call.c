/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/call.h"

#include "base/error.h"

#include <curl/curl.h>
#include <poll.h>

DEFINE_CLEANUP(CURL *, curl_easy_cleanup)
DEFINE_CLEANUP(struct curl_slist *, curl_slist_free_all)

static size_t store(char *bytes, size_t size, size_t n, void *userdata) {
    Buf *body = userdata;

    if (n > HTTP_CALL_BODY_MAX - body->len) {
        return 0; /* which is an error to libcurl */
    }
    buf_add(body, bytes, size * n);
    return n;
}

static int keep_going(void *userdata, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                      curl_off_t up) {
    const HttpCall *call = userdata;
    struct pollfd stop = {.fd = call->stop_fd, .events = POLLIN};

    (void)down_total, (void)down, (void)up_total, (void)up;
    return call->stop_fd >= 0 && poll(&stop, 1, 0) > 0;
}

static struct curl_slist *headers_of(const HttpCall *call, Arena *arena) {
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");

    if (headers && call->bearer) {
        struct curl_slist *more = curl_slist_append(
            headers, arena_printf(arena, "Authorization: Bearer %s", call->bearer));
        if (!more) {
            curl_slist_free_all(headers);
        }
        headers = more;
    }
    if (!headers) {
        abort(); /* nothing but exhausted memory */
    }
    return headers;
}

static void set_up(CURL *curl, const HttpCall *call, struct curl_slist *headers, Buf *body,
                   char error[CURL_ERROR_SIZE]) {
    curl_easy_setopt(curl, CURLOPT_URL, call->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "imagesync/" IMAGESYNC_VERSION);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, store);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, keep_going);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, call);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    if (call->form) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->form);
    }
    if (call->ca_file) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, call->ca_file);
    }
}

int http_call(const HttpCall *call, Arena *arena, HttpAnswer *ret_answer, const char **reterr) {
    _cleanup_(curl_easy_cleanupp) CURL *curl = curl_easy_init();
    _cleanup_(curl_slist_free_allp) struct curl_slist *headers = headers_of(call, arena);
    _cleanup_(buf_done) Buf body = BUF_INIT;
    char error[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURLcode code;

    if (!curl) {
        abort(); /* nothing but exhausted memory */
    }
    set_up(curl, call, headers, &body, error);
    code = curl_easy_perform(curl);
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return -EINTR;
    }
    if (code != CURLE_OK) {
        *reterr = arena_strdup(arena, str_from(error[0] ? error : curl_easy_strerror(code)));
        return -ENOTCONN;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    *ret_answer = (HttpAnswer){(unsigned)status, {arena_strdup(arena, buf_str(&body)), body.len}};
    return 0;
}
