/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/issuer/issuers.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LEN_MAX ((size_t)1 << 20)
#define ISSUERS_MAX  16
#define NAME_LEN_MAX 32
#define TEXT_LEN_MAX 1000

static const char *const auth_names[] = {
    [ISSUER_AUTH_BASIC] = "client_secret_basic",
    [ISSUER_AUTH_POST] = "client_secret_post",
    [ISSUER_AUTH_NONE] = "none",
};

Issuers *issuers_free(Issuers *issuers) {
    if (issuers) {
        arena_free(issuers->arena);
        free(issuers);
    }
    return NULL;
}

const Issuer *issuers_find(const Issuers *issuers, Str name) {
    for (size_t i = 0; i < issuers->n_issuers; i++) {
        if (str_equal(str_from(issuers->issuers[i].name), name)) {
            return &issuers->issuers[i];
        }
    }
    return NULL;
}

const Issuer *issuers_find_url(const Issuers *issuers, Str url) {
    for (size_t i = 0; i < issuers->n_issuers; i++) {
        if (str_equal(str_from(issuers->issuers[i].issuer), url)) {
            return &issuers->issuers[i];
        }
    }
    return NULL;
}

bool issuer_url_is_loopback(Str url) {
    static const Str hosts[] = {
        {"http://127.0.0.1", 16}, {"http://[::1]", 12}, {"http://localhost", 16}};

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        size_t len = hosts[i].len;
        if (str_starts_with(url, hosts[i]) &&
            (url.len == len || url.ptr[len] == ':' || url.ptr[len] == '/')) {
            return true;
        }
    }
    return false;
}

bool issuer_url_is_allowed(Str url) {
    static const Str https = {"https://", 8};
    Str rest;
    const char *slash;

    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] <= ' ' || url.ptr[i] > '~' || strchr("\"'<>\\^`{|}#", url.ptr[i])) {
            return false;
        }
    }
    if (url.len > TEXT_LEN_MAX || !(str_starts_with(url, https) || issuer_url_is_loopback(url))) {
        return false;
    }
    rest = (Str){memchr(url.ptr, ':', url.len), 0};
    rest.ptr += 3;
    rest.len = url.len - (size_t)(rest.ptr - url.ptr);
    slash = memchr(rest.ptr, '/', rest.len);
    rest.len = slash ? (size_t)(slash - rest.ptr) : rest.len;
    return rest.len > 0 && !memchr(rest.ptr, '@', rest.len) && !memchr(rest.ptr, '?', rest.len);
}

static bool is_name(const char *name) {
    static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

    return name[0] && strlen(name) <= NAME_LEN_MAX && name[strspn(name, chars)] == '\0';
}

static bool is_text(const char *text) {
    return text[0] && strlen(text) <= TEXT_LEN_MAX;
}

/* With openid among them. */
static bool is_scope(const char *scope) {
    Str rest = str_from(scope), word;
    bool openid = false;

    while (str_next_token(&rest, " ", &word)) {
        openid |= str_equal(word, str_lit("openid"));
    }
    return is_text(scope) && openid;
}

static bool read_auth(const char *method, Issuer *issuer) {
    if (!method) {
        issuer->auth = issuer->client_secret ? ISSUER_AUTH_BASIC : ISSUER_AUTH_NONE;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(auth_names); i++) {
        if (strcmp(method, auth_names[i]) == 0) {
            issuer->auth = (IssuerAuth)i;
            return (i == ISSUER_AUTH_NONE) == !issuer->client_secret;
        }
    }
    return false;
}

static const char *copy(Arena *arena, const char *text) {
    return text ? arena_strdup(arena, str_from(text)) : NULL;
}

/* The member at fault, or NULL. */
static const char *read_issuer(const json_t *json, Arena *arena, Issuer *ret_issuer) {
    const char *name, *title, *url, *id, *secret = NULL, *method = NULL;
    const char *scope = "openid email profile";
    int registration = 1;
    json_error_t error;

    if (json_unpack_ex((json_t *)json, &error, JSON_STRICT, "{s:s,s:s,s:s,s:s,s?s,s?s,s?s,s?b}",
                       "name", &name, "title", &title, "issuer", &url, "client_id", &id,
                       "client_secret", &secret, "token_endpoint_auth_method", &method, "scope",
                       &scope, "registration", &registration) < 0) {
        return arena_strdup(arena, str_from(error.text));
    }
    *ret_issuer =
        (Issuer){copy(arena, name),   copy(arena, title), copy(arena, url), copy(arena, id),
                 copy(arena, secret), copy(arena, scope), ISSUER_AUTH_NONE, registration};
    if (!is_name(name)) {
        return "name";
    }
    if (!is_text(title) || strlen(title) > 100) {
        return "title";
    }
    /* Discovery 1.0, section 2: no query either. */
    if (!issuer_url_is_allowed(str_from(url)) || strchr(url, '?')) {
        return "issuer";
    }
    if (!is_text(id)) {
        return "client_id";
    }
    if (secret && !is_text(secret)) {
        return "client_secret";
    }
    if (!is_scope(scope)) {
        return "scope";
    }
    return read_auth(method, ret_issuer) ? NULL : "token_endpoint_auth_method";
}

static int read_all(const json_t *array, Issuers *issuers, Arena *arena, const char **reterr) {
    size_t n = json_array_size(array);

    issuers->issuers = arena_alloc(issuers->arena, MAX(n, 1u) * sizeof(Issuer));
    for (size_t i = 0; i < n; i++) {
        Issuer issuer;
        const char *where = read_issuer(json_array_get(array, i), issuers->arena, &issuer);
        if (where) {
            *reterr = arena_printf(arena, "issuer %zu: %s: not as it has to be", i + 1, where);
            return -EINVAL;
        }
        if (issuers_find(issuers, str_from(issuer.name)) ||
            issuers_find_url(issuers, str_from(issuer.issuer))) {
            *reterr =
                arena_printf(arena, "issuer %zu: %s or its URL is there twice", i + 1, issuer.name);
            return -EINVAL;
        }
        issuers->issuers[issuers->n_issuers++] = issuer;
    }
    return 0;
}

static int read_file(const char *path, Buf *out, mode_t *ret_mode) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;

    if (fd < 0 || fstat(fd, &info) < 0) {
        return err_errno();
    }
    *ret_mode = info.st_mode;
    return fd_read_to_end(fd, FILE_LEN_MAX, out);
}

static int read_json(const json_t *json, Issuers *issuers, Arena *arena, const char **reterr) {
    const json_t *allow = json_object_get(json, "allow");
    const json_t *array = json_object_get(json, "issuers");
    Str at;

    if (!json_is_array(array) || json_array_size(array) > ISSUERS_MAX ||
        json_object_size(json) > (allow ? 2u : 1u)) {
        *reterr = arena_printf(arena, "no JSON object with a list \"issuers\" of at most %d",
                               ISSUERS_MAX);
        return -EINVAL;
    }
    if (allow && (!json_is_string(allow) ||
                  netguard_allow(&issuers->guard, str_from(json_string_value(allow)), &at) < 0)) {
        *reterr = "allow: not networks such as \"10.1.0.0/16,fd00::/8\"";
        return -EINVAL;
    }
    return read_all(array, issuers, arena, reterr);
}

static bool has_secret(const Issuers *issuers) {
    for (size_t i = 0; i < issuers->n_issuers; i++) {
        if (issuers->issuers[i].client_secret) {
            return true;
        }
    }
    return false;
}

int issuers_read(const char *path, Arena *arena, Issuers **ret_issuers, const char **reterr) {
    _cleanup_(issuers_freep) Issuers *issuers = calloc(1, sizeof(*issuers));
    _cleanup_(json_decrefp) json_t *json = NULL;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    json_error_t error = {0};
    mode_t mode = 0;
    int r;

    if (!issuers) {
        abort();
    }
    issuers->arena = arena_new();
    if (path[0] == '\0') {
        *ret_issuers = TAKE_PTR(issuers);
        return 0;
    }
    r = read_file(path, &text, &mode);
    if (r < 0) {
        *reterr = arena_printf(arena, "--issuers: cannot read %s: %s", path, strerror(-r));
        return -EINVAL;
    }
    json = json_loadb(buf_cstr(&text), text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json) {
        *reterr = arena_printf(arena, "--issuers: %s: no JSON: %s", path, error.text);
        return -EINVAL;
    }
    r = read_json(json, issuers, arena, reterr);
    if (r < 0) {
        *reterr = arena_printf(arena, "--issuers: %s: %s", path, *reterr);
        return r;
    }
    if (has_secret(issuers) && mode & (S_IROTH | S_IWOTH)) {
        *reterr = arena_printf(arena,
                               "--issuers: %s holds a secret and anyone on this machine can read "
                               "it: chmod 640 it, or less",
                               path);
        return -EINVAL;
    }
    *ret_issuers = TAKE_PTR(issuers);
    return 0;
}
