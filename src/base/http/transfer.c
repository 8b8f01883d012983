/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One fetch with libcurl. Whether an address may be talked to is decided where its socket is
 * opened, with the very bytes that will be connected to: no name is resolved a second time in
 * between, and neither redirects nor unusual spellings of an address get around it. Redirects are
 * followed here and not by libcurl, so that every URL passes parse_url(); and what that has parsed
 * is what is fetched, so that no second parser can read it otherwise.
 */
#include "base/http/fetch_internal.h"

#include "base/clock.h"
#include "base/fd.h"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

DEFINE_CLEANUP(CURLU *, curl_url_cleanup)
DEFINE_CLEANUP(struct curl_slist *, curl_slist_free_all)

#define URL_MAX           4096
#define LOW_SPEED_BYTES   200L /* a second, over LOW_SPEED_SECONDS: slower is given up */
#define LOW_SPEED_SECONDS 10L

typedef struct Transfer {
    const FetchOptions *options;
    const atomic_bool *cancelled;
    Arena *arena;
    CURL *curl;
    uint64_t until_ms;
    int fd;
    uint64_t len;
    bool forbidden, too_large;
} Transfer;

static bool url_part(CURLU *url, CURLUPart part, const char *wanted1, const char *wanted2) {
    char *text = NULL;
    bool matches = false;

    if (curl_url_get(url, part, &text, 0) == CURLUE_OK && text) {
        matches = !wanted1 || strcmp(text, wanted1) == 0 || strcmp(text, wanted2) == 0;
    }
    curl_free(text);
    return matches;
}

/* http(s), a host, no user name or password; NULL otherwise. Blanks in the path are encoded. */
static CURLU *parse_url(const char *text) {
    _cleanup_(curl_url_cleanupp) CURLU *url = strlen(text) > URL_MAX ? NULL : curl_url();
    bool good = url && curl_url_set(url, CURLUPART_URL, text, CURLU_URLENCODE) == CURLUE_OK &&
                url_part(url, CURLUPART_SCHEME, "http", "https") &&
                url_part(url, CURLUPART_HOST, NULL, NULL) &&
                !url_part(url, CURLUPART_USER, NULL, NULL) &&
                !url_part(url, CURLUPART_PASSWORD, NULL, NULL);

    return good ? TAKE_PTR(url) : NULL;
}

static curl_socket_t open_socket(void *userdata, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
    Transfer *transfer = userdata;

    if (purpose != CURLSOCKTYPE_IPCXN ||
        !netguard_permits(transfer->options->guard, &address->addr)) {
        transfer->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t store(char *data, size_t size, size_t n, void *userdata) {
    Transfer *transfer = userdata;
    size_t len = size * n; /* size is 1 */
    long status = 0;

    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300) {
        return len; /* the text of a redirect is of no use */
    }
    if (len > transfer->options->size_max - transfer->len) {
        transfer->too_large = true;
        return 0;
    }
    transfer->len += len;
    return fd_write_all(transfer->fd, data, len) < 0 ? 0 : len;
}

static int keep_going(void *userdata, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                      curl_off_t up) {
    const Transfer *transfer = userdata;
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return atomic_load(transfer->cancelled) ? 1 : 0;
}

static void set_up(Transfer *transfer) {
    CURL *curl = transfer->curl;

    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "imagesync/" IMAGESYNC_VERSION);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, store);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, keep_going);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)transfer->options->size_max);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)transfer->options->connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, LOW_SPEED_SECONDS);
}

static void add_header(struct curl_slist **headers, Arena *arena, const char *name,
                       const char *value) {
    struct curl_slist *longer =
        curl_slist_append(*headers, arena_printf(arena, "%s: %s", name, value));

    if (!longer) {
        abort();
    }
    *headers = longer;
}

/* What is sent beside the URL. The list and `request` have to live until it was performed. */
static struct curl_slist *set_up_request(Transfer *transfer, const FetchRequest *request) {
    struct curl_slist *headers = NULL;

    if (request->authorization) {
        add_header(&headers, transfer->arena, "Authorization", request->authorization);
    }
    if (request->accept) {
        add_header(&headers, transfer->arena, "Accept", request->accept);
    }
    if (request->form) {
        curl_easy_setopt(transfer->curl, CURLOPT_POSTFIELDS, request->form);
    }
    curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, headers);
    return headers;
}

static FetchStatus fail(FetchResult *result, FetchStatus status, const char *detail) {
    result->status = status;
    result->detail = detail;
    return status;
}

/* What went wrong, in words that say nothing of the network we are in. */
static FetchStatus explain(Transfer *transfer, CURLcode code, FetchResult *result) {
    long status = 0;

    if (transfer->too_large || code == CURLE_FILESIZE_EXCEEDED) {
        return fail(result, FETCH_TOO_LARGE,
                    arena_printf(transfer->arena, "The file at the URL has more than %zu bytes.",
                                 transfer->options->size_max));
    }
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        if (transfer->forbidden) {
            return fail(result, FETCH_FORBIDDEN, "The URL leads to an address that is not public.");
        }
        return fail(result, FETCH_FAILED, "The host of the URL could not be reached.");
    case CURLE_COULDNT_RESOLVE_HOST:
        return fail(result, FETCH_FAILED, "The host of the URL was not found.");
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return fail(result, FETCH_BAD_URL, "The URL is malformed.");
    case CURLE_OPERATION_TIMEDOUT:
        return fail(result, FETCH_FAILED, "The host of the URL did not answer in time.");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        return fail(result, FETCH_FAILED, "The host of the URL could not prove its identity.");
    case CURLE_HTTP_RETURNED_ERROR:
        curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
        return fail(result, FETCH_FAILED,
                    arena_printf(transfer->arena, "The URL was answered with status %ld.", status));
    case CURLE_ABORTED_BY_CALLBACK:
        return fail(result, FETCH_FAILED, "The fetch was cancelled.");
    default:
        return fail(result, FETCH_FAILED, "The URL could not be fetched.");
    }
}

/* One request. FETCH_OK with *ret_next NULL: the body is here; else it redirects. */
static FetchStatus get(Transfer *transfer, const char *text, const char **ret_next,
                       FetchResult *result) {
    _cleanup_(curl_url_cleanupp) CURLU *url = parse_url(text);
    uint64_t now_ms = clock_mono_ms();
    const char *next = NULL;
    CURLcode code;

    if (!url) {
        return fail(result, FETCH_BAD_URL,
                    "The URL must begin with http:// or https:// and have no user name.");
    }
    if (now_ms >= transfer->until_ms) {
        return explain(transfer, CURLE_OPERATION_TIMEDOUT, result);
    }
    transfer->forbidden = false;
    curl_easy_setopt(transfer->curl, CURLOPT_CURLU, url);
    curl_easy_setopt(transfer->curl, CURLOPT_TIMEOUT_MS, (long)(transfer->until_ms - now_ms));
    code = curl_easy_perform(transfer->curl);
    curl_easy_setopt(transfer->curl, CURLOPT_CURLU, NULL);
    if (code != CURLE_OK) {
        return explain(transfer, code, result);
    }
    curl_easy_getinfo(transfer->curl, CURLINFO_REDIRECT_URL, &next);
    *ret_next = next ? arena_strdup(transfer->arena, str_from(next)) : NULL;
    return FETCH_OK;
}

static FetchStatus follow(Transfer *transfer, const char *url, FetchResult *result) {
    const char *next = url;
    long status = 0;

    for (unsigned hops = 0; next; hops++) {
        FetchStatus r;
        if (hops == 1) {
            curl_easy_setopt(transfer->curl, CURLOPT_HTTPGET, 1L);
        }
        if (hops > transfer->options->redirects_max) {
            return fail(result, FETCH_FAILED, "The URL redirects too often.");
        }
        r = get(transfer, next, &next, result);
        if (r != FETCH_OK) {
            return r;
        }
    }
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299 || transfer->len == 0) {
        return fail(result, FETCH_FAILED, "The URL was answered without a file.");
    }
    return FETCH_OK;
}

void transfer_run(const FetchOptions *options, const FetchRequest *request,
                  const atomic_bool *cancelled, Arena *arena, FetchResult *ret_result) {
    _cleanup_(curl_slist_free_allp) struct curl_slist *headers = NULL;
    _cleanup_(fd_closep) int fd = -1;
    Transfer transfer = {.options = options,
                         .cancelled = cancelled,
                         .arena = arena,
                         .until_ms = clock_mono_ms() + options->timeout_ms};

    *ret_result = (FetchResult){.fd = -1};
    if (fd_memory_new("http-fetch", &fd) < 0 || !(transfer.curl = curl_easy_init())) {
        fail(ret_result, FETCH_FAILED, "The URL could not be fetched.");
        return;
    }
    transfer.fd = fd;
    set_up(&transfer);
    headers = set_up_request(&transfer, request);
    if (follow(&transfer, request->url, ret_result) == FETCH_OK) {
        if (fd_memory_seal(fd) < 0) {
            fail(ret_result, FETCH_FAILED, "The URL could not be fetched.");
        } else {
            *ret_result = (FetchResult){.status = FETCH_OK, .fd = TAKE_FD(fd), .len = transfer.len};
        }
    }
    curl_easy_cleanup(transfer.curl);
}
