/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/client.h"

#include "base/error.h"

#include <curl/curl.h>
#include <pthread.h>
#include <strings.h>

#define IDLE_MAX           32
#define ERROR_BODY_MAX     ((size_t)64 << 10)
#define ANSWER_HEADERS_MAX 64

DEFINE_CLEANUP(struct curl_slist *, curl_slist_free_all)

/* An easy handle brings its own connection, so those that are idle are kept. */
struct HttpClient {
    char *url, *ca_file;
    uint32_t timeout_ms;
    char *sigv4, *access_key, *secret_key; /* NULL: calls are not signed */
    pthread_mutex_t lock;
    CURL *idle[IDLE_MAX];
    size_t n_idle;
};

/* Where an answer's body goes. */
typedef struct Sink {
    CURL *curl;
    const HttpClientCall *call;
    size_t n_into;
    Buf body;
} Sink;

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

static char *copy(const char *text) {
    char *own = strdup(text ? text : "");

    if (!own) {
        abort();
    }
    return own;
}

HttpClient *http_client_new(const HttpClientOptions *options) {
    HttpClient *client;
    size_t len = strlen(options->url);

    if (!is_http(options->url) || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NULL;
    }
    while (len > 0 && options->url[len - 1] == '/') {
        len--;
    }
    client = calloc(1, sizeof(*client));
    if (!client || !(client->url = strndup(options->url, len))) {
        abort();
    }
    client->ca_file = copy(options->ca_file);
    client->timeout_ms = options->timeout_ms;
    if (options->sigv4) {
        client->sigv4 = copy(options->sigv4);
        client->access_key = copy(options->access_key);
        client->secret_key = copy(options->secret_key);
    }
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
    if (client->secret_key) {
        explicit_bzero(client->secret_key, strlen(client->secret_key));
    }
    free(client->url);
    free(client->ca_file);
    free(client->sigv4);
    free(client->access_key);
    free(client->secret_key);
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
    Sink *sink = userdata;
    size_t len = size * n, max = sink->call->answer_max; /* size is 1 */
    long status = 0;

    curl_easy_getinfo(sink->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299) {
        max = MAX(max, ERROR_BODY_MAX);
    } else if (sink->call->into) {
        if (len > max - sink->n_into) {
            return 0; /* which is an error to libcurl */
        }
        memcpy((char *)sink->call->into + sink->n_into, data, len);
        sink->n_into += len;
        return len;
    }
    if (len > max - sink->body.len) {
        return 0;
    }
    buf_add(&sink->body, data, len);
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

static struct curl_slist *headers_of(const HttpClientCall *call) {
    struct curl_slist *headers = NULL;

    for (size_t i = 0; call->headers && call->headers[i]; i++) {
        headers = curl_slist_append(headers, call->headers[i]);
        if (!headers) {
            abort(); /* exhausted memory */
        }
    }
    return headers;
}

static void set_method(CURL *curl, const HttpClientCall *call) {
    if (strcmp(call->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        return;
    }
    if (strcmp(call->method, "PUT") == 0 || strcmp(call->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body.len > 0 ? call->body.ptr : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
}

static void set_up(const HttpClient *client, CURL *curl, const char *url) {
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
    if (client->sigv4) {
        curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, client->sigv4);
        curl_easy_setopt(curl, CURLOPT_USERNAME, client->access_key);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, client->secret_key);
    }
}

/* Copies the headers of the last answer, which go with the handle's next call. */
static void read_headers(CURL *curl, Arena *arena, HttpClientAnswer *answer) {
    HttpClientHeader *headers = arena_alloc(arena, ANSWER_HEADERS_MAX * sizeof(*headers));
    struct curl_header *header = NULL;

    while (answer->n_headers < ANSWER_HEADERS_MAX &&
           (header = curl_easy_nextheader(curl, CURLH_HEADER, -1, header))) {
        headers[answer->n_headers++] =
            (HttpClientHeader){.name = arena_strdup(arena, str_from(header->name)),
                               .value = arena_strdup(arena, str_from(header->value))};
    }
    answer->headers = headers;
}

static void read_answer(const Sink *sink, Arena *arena, HttpClientAnswer *ret_answer) {
    HttpClientAnswer answer = {0};
    bool into = sink->n_into > 0;

    curl_easy_getinfo(sink->curl, CURLINFO_RESPONSE_CODE, &answer.status);
    answer.body = into ? (Str){sink->call->into, sink->n_into}
                       : (Str){arena_strdup(arena, buf_str(&sink->body)), sink->body.len};
    read_headers(sink->curl, arena, &answer);
    *ret_answer = answer;
}

int http_client_send(HttpClient *client, const HttpClientCall *call, Arena *arena,
                     HttpClientAnswer *ret_answer) {
    _cleanup_(curl_slist_free_allp) struct curl_slist *headers = headers_of(call);
    CURL *curl = take(client);
    Sink sink = {.curl = curl, .call = call, .body = BUF_INIT};
    int r;

    set_up(client, curl, arena_printf(arena, "%s%s", client->url, call->path));
    set_method(curl, call);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, store);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sink);
    r = judge(curl_easy_perform(curl));
    if (r == 0) {
        read_answer(&sink, arena, ret_answer);
    }
    curl_easy_reset(curl); /* nothing of this call stays but the connection */
    give(client, curl);
    buf_done(&sink.body);
    return err_trace(r);
}

const char *http_client_header(const HttpClientAnswer *answer, const char *name) {
    for (size_t i = 0; i < answer->n_headers; i++) {
        if (strcasecmp(answer->headers[i].name, name) == 0) {
            return answer->headers[i].value;
        }
    }
    return NULL;
}
