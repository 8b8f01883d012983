/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/access/http/transfer.h"

#include "base/error.h"

#include <curl/curl.h>
#include <pthread.h>

#define IDLE_MAX 32

/* An easy handle brings its own connection, so those that are idle are kept. */
struct HttpClient {
    char *url, *ca_file;
    uint32_t timeout_ms;
    pthread_mutex_t lock;
    CURL *idle[IDLE_MAX];
    size_t n_idle;
};

static bool is_http(const char *url) {
    CURLU *parsed = curl_url();
    char *scheme = NULL, *user = NULL;
    bool good = parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
                curl_url_get(parsed, CURLUPART_USER, &user, 0) != CURLUE_OK;

    curl_free(scheme);
    curl_free(user);
    curl_url_cleanup(parsed);
    return good;
}

HttpClient *http_client_new(const char *url, const char *ca_file, uint32_t timeout_ms) {
    HttpClient *client;
    size_t len = strlen(url);

    if (!is_http(url) || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NULL;
    }
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    client = calloc(1, sizeof(*client));
    if (!client || !(client->url = strndup(url, len)) || !(client->ca_file = strdup(ca_file))) {
        abort();
    }
    client->timeout_ms = timeout_ms;
    pthread_mutex_init(&client->lock, NULL);
    return client;
}

HttpClient *http_client_free(HttpClient *client) {
    if (!client) {
        return NULL;
    }
    for (size_t i = 0; i < client->n_idle; i++) {
        curl_easy_cleanup(client->idle[i]);
    }
    pthread_mutex_destroy(&client->lock);
    free(client->url);
    free(client->ca_file);
    free(client);
    curl_global_cleanup();
    return NULL;
}

static CURL *take(HttpClient *client) {
    CURL *curl = NULL;

    pthread_mutex_lock(&client->lock);
    if (client->n_idle > 0) {
        curl = client->idle[--client->n_idle];
    }
    pthread_mutex_unlock(&client->lock);
    if (!curl) {
        curl = curl_easy_init();
    }
    if (!curl) {
        abort(); /* exhausted memory */
    }
    return curl;
}

static void give(HttpClient *client, CURL *curl) {
    pthread_mutex_lock(&client->lock);
    if (client->n_idle < IDLE_MAX) {
        client->idle[client->n_idle++] = TAKE_PTR(curl);
    }
    pthread_mutex_unlock(&client->lock);
    curl_easy_cleanup(curl);
}

static size_t store(char *data, size_t size, size_t n, void *userdata) {
    Buf *body = userdata;
    size_t len = size * n; /* size is 1 */

    if (len > HTTP_ANSWER_MAX - body->len) {
        return 0;
    }
    buf_add(body, data, len);
    return len;
}

static int judge(CURLcode code) {
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        return -ECONNREFUSED;
    default:
        return -EIO;
    }
}

int http_client_post(HttpClient *client, const char *path, Str token, Str body, Arena *arena,
                     HttpAnswer *ret_answer) {
    const char *url = arena_printf(arena, "%s%s", client->url, path);
    const char *authorization =
        arena_printf(arena, "Authorization: Bearer %.*s", (int)token.len, token.ptr);
    _cleanup_(buf_done) Buf answer = BUF_INIT;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURL *curl = take(client);
    long status = 0;
    int r;

    headers = curl_slist_append(headers, authorization);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "imagesync/" IMAGESYNC_VERSION);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)client->timeout_ms);
    if (client->ca_file[0] != '\0') {
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.ptr);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, store);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    r = judge(curl_easy_perform(curl));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_reset(curl); /* nothing of this call stays but the connection */
    curl_slist_free_all(headers);
    give(client, curl);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_answer = (HttpAnswer){
        .status = status,
        .body = answer.len > 0 ? str_from(arena_strdup(arena, buf_str(&answer))) : (Str){0}};
    return 0;
}
