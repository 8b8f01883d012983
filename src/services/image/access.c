/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/access.h"

#include "base/http/same_origin.h"

#include <arpa/inet.h>

static Str sent_key(HttpRequest *request) {
    static const Str bearer = {"bearer ", 7};
    const char *key = http_request_header(request, "X-Api-Key");
    const char *authorization;

    if (key) {
        return str_trim(str_from(key));
    }
    authorization = http_request_header(request, "Authorization");
    if (authorization) {
        Str value = str_trim(str_from(authorization));
        if (value.len > bearer.len && str_equal_nocase((Str){value.ptr, bearer.len}, bearer)) {
            return str_trim((Str){value.ptr + bearer.len, value.len - bearer.len});
        }
    }
    return (Str){0};
}

static const Str sandbox_prefix = {"sandbox_", 8};

bool access_may_wait(const ImageService *service, HttpRequest *request) {
    Str key = sent_key(request);

    if (str_starts_with(key, sandbox_prefix)) {
        key = (Str){key.ptr + sandbox_prefix.len, key.len - sandbox_prefix.len};
    }
    return service->options.access && str_starts_with(key, str_lit(ACCESS_KEY_PREFIX));
}

/* Of the configuration first: these cost no question. */
static Failure find(ImageService *service, Str key, uint32_t scope, Account **ret_account) {
    uint32_t scopes;
    int r;

    *ret_account = accounts_find(service->accounts, key);
    if (*ret_account) {
        return FAILURE_NONE;
    }
    r = accounts_find_user(service->accounts, key, ret_account, &scopes);
    if (r != 0) {
        return r == ACCOUNT_E_UNKNOWN ? FAILURE_WRONG_KEY : FAILURE_UNAVAILABLE;
    }
    if (!(scopes & scope)) {
        account_release(*ret_account);
        *ret_account = NULL;
        return FAILURE_KEY_SCOPE;
    }
    return FAILURE_NONE;
}

static Failure by_key(ImageService *service, HttpRequest *request, bool sandbox_allowed,
                      uint32_t scope, Caller *ret_caller) {
    Str key = sent_key(request);
    Caller caller = {0};
    Failure failure;

    if (key.len == 0) {
        return FAILURE_MISSING_KEY;
    }
    failure = find(service, key, scope, &caller.account);
    if (failure == FAILURE_WRONG_KEY && sandbox_allowed && str_starts_with(key, sandbox_prefix)) {
        Str rest = {key.ptr + sandbox_prefix.len, key.len - sandbox_prefix.len};
        failure = find(service, rest, scope, &caller.account);
        caller.sandbox = true;
    }
    if (failure == FAILURE_NONE) {
        *ret_caller = caller;
    }
    return failure;
}

Failure access_by_key(ImageService *service, HttpRequest *request, bool sandbox_allowed,
                      Caller *ret_caller) {
    return by_key(service, request, sandbox_allowed, ACCESS_SCOPE_IMAGES, ret_caller);
}

Failure access_for_balance(ImageService *service, HttpRequest *request, Caller *ret_caller) {
    return by_key(service, request, false, ACCESS_SCOPE_ACCOUNT, ret_caller);
}

bool access_is_loopback(const char *address) {
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, address, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, address, &v6) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    }
    return strcmp(address, "localhost") == 0;
}

/* The host of "host:port" or "[v6]:port", without brackets. */
static Str host_name(const char *host) {
    Str text = str_from(host);
    const char *end;

    if (text.len > 0 && text.ptr[0] == '[') {
        end = memchr(text.ptr, ']', text.len);
        return end ? (Str){text.ptr + 1, (size_t)(end - text.ptr - 1)} : (Str){0};
    }
    end = memchr(text.ptr, ':', text.len);
    return end ? (Str){text.ptr, (size_t)(end - text.ptr)} : text;
}

static bool is_address(Str name) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (name.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

bool access_host_is_ours(const char *host, const char *page_hosts) {
    Str name, rest = str_from(page_hosts), ours;

    if (!host) {
        return false;
    }
    name = host_name(host);
    if (name.len == 0) {
        return false;
    }
    if (str_equal_nocase(name, str_lit("localhost")) || is_address(name)) {
        return true;
    }
    while (str_next_token(&rest, ",", &ours)) {
        if (str_equal_nocase(name, str_trim(ours))) {
            return true;
        }
    }
    return false;
}

bool access_page_is_open(ImageService *service, HttpRequest *request) {
    const char *mode = service->options.settings->page_access;

    if (strcmp(mode, "auto") != 0) {
        return strcmp(mode, "open") == 0;
    }
    return access_is_loopback(service->options.listen_address) &&
           access_is_loopback(http_request_peer(request)) &&
           !http_request_header(request, "X-Forwarded-For") &&
           !http_request_header(request, "Forwarded");
}

Failure access_for_page(ImageService *service, HttpRequest *request, Caller *ret_caller) {
    const char *asked_with = http_request_header(request, "X-Requested-With");
    const char *host = http_request_header(request, "Host");

    if (sent_key(request).len > 0) {
        return access_by_key(service, request, false, ret_caller);
    }
    if (!access_page_is_open(service, request)) {
        return FAILURE_MISSING_KEY;
    }
    if (!asked_with || strcmp(asked_with, "imagesync") != 0 ||
        !same_origin_request(request, NULL) ||
        !access_host_is_ours(host, service->options.settings->page_hosts)) {
        return FAILURE_FOREIGN_ORIGIN;
    }
    *ret_caller = (Caller){.account = accounts_anonymous(service->accounts)};
    return FAILURE_NONE;
}
