/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/oidc/clients.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/identity/access_token.h"

#include <fcntl.h>
#include <unistd.h>

#define FILE_LEN_MAX ((size_t)1 << 20)
#define CLIENTS_MAX  1000
#define URIS_MAX     32
#define URI_LEN_MAX  1000
#define NAME_LEN_MAX 100

static const char id_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

struct OauthClients {
    Arena *arena;
    OauthClient *clients;
    size_t n_clients;
};

OauthClients *oauth_clients_free(OauthClients *clients) {
    if (clients) {
        arena_free(clients->arena);
        free(clients);
    }
    return NULL;
}

/* What a loopback URI has before its port. */
static size_t loopback_len(Str uri) {
    static const Str hosts[] = {{"http://127.0.0.1", 16}, {"http://[::1]", 12}};

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        if (str_starts_with(uri, hosts[i])) {
            return hosts[i].len;
        }
    }
    return 0;
}

static bool is_port(Str text) {
    uint64_t port;

    return str_to_u64(text, &port) == 0 && port >= 1 && port <= 65535 && text.ptr[0] != '0';
}

static bool matches(Str registered, Str uri) {
    size_t len = loopback_len(registered);

    if (str_equal(registered, uri)) {
        return true;
    }
    if (len > 0 && len < registered.len && registered.ptr[len] == '/' &&
        str_starts_with(uri, (Str){registered.ptr, len}) && uri.len > len && uri.ptr[len] == ':') {
        Str rest = {uri.ptr + len + 1, uri.len - len - 1};
        const char *slash = memchr(rest.ptr, '/', rest.len);
        size_t port_len = slash ? (size_t)(slash - rest.ptr) : rest.len;
        return is_port((Str){rest.ptr, port_len}) &&
               str_equal((Str){registered.ptr + len, registered.len - len},
                         (Str){rest.ptr + port_len, rest.len - port_len});
    }
    return false;
}

bool oauth_uri_is_registered(const char *const *registered, Str uri) {
    for (; *registered; registered++) {
        if (matches(str_from(*registered), uri)) {
            return true;
        }
    }
    return false;
}

bool oauth_client_secret_is(const OauthClient *client, Str secret) {
    uint8_t hash[DIGEST_LEN];

    digest_sha256(secret, hash);
    return digest_equal(hash, client->secret_hash, DIGEST_LEN) && client->confidential;
}

const OauthClient *oauth_clients_find(const OauthClients *clients, Str id) {
    for (size_t i = 0; i < clients->n_clients; i++) {
        if (str_equal(str_from(clients->clients[i].id), id)) {
            return &clients->clients[i];
        }
    }
    return NULL;
}

/* Visible ASCII that means itself in a header and in a policy; no fragment (RFC 6749 3.1.2). */
static bool is_uri(Str uri) {
    for (size_t i = 0; i < uri.len; i++) {
        if (uri.ptr[i] <= ' ' || uri.ptr[i] > '~' || strchr("\"'<>\\^`{|}#;,", uri.ptr[i])) {
            return false;
        }
    }
    return uri.len > 0 && uri.len <= URI_LEN_MAX;
}

static bool is_allowed_uri(Str uri) {
    const char *colon = memchr(uri.ptr, ':', uri.len);
    Str scheme = {uri.ptr, colon ? (size_t)(colon - uri.ptr) : 0};

    if (!is_uri(uri) || scheme.len == 0) {
        return false;
    }
    if (str_equal(scheme, str_lit("https"))) {
        return uri.len > strlen("https://") && str_starts_with(uri, str_lit("https://")) &&
               uri.ptr[strlen("https://")] != '/';
    }
    if (str_equal(scheme, str_lit("http"))) {
        size_t len = loopback_len(uri);
        if (len == 0 && str_starts_with(uri, str_lit("http://localhost"))) {
            len = strlen("http://localhost");
        }
        return len > 0 && uri.len > len && strchr(":/", uri.ptr[len]);
    }
    /* RFC 8252 7.1 and 8.4: a domain name in reverse, so that it is somebody's. */
    return memchr(scheme.ptr, '.', scheme.len) != NULL &&
           strspn(scheme.ptr, id_chars) >= scheme.len;
}

static int read_uris(const json_t *array, Arena *arena, const char ***ret_uris) {
    size_t n = json_array_size(array);
    const char **uris = arena_alloc(arena, (MIN(n, URIS_MAX) + 1) * sizeof(*uris));

    if ((array && !json_is_array(array)) || n > URIS_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(array, i);
        Str uri = {json_string_value(item), json_string_length(item)};
        if (!json_is_string(item) || !is_allowed_uri(uri)) {
            return -EINVAL;
        }
        uris[i] = arena_strdup(arena, uri);
    }
    *ret_uris = uris;
    return 0;
}

static bool is_https(const char *const *uris) {
    for (; *uris; uris++) {
        if (!str_starts_with(str_from(*uris), str_lit("https://"))) {
            return false;
        }
    }
    return true;
}

const OauthClient *oauth_clients_at(const OauthClients *clients, size_t at) {
    return at < clients->n_clients ? &clients->clients[at] : NULL;
}

const char *oauth_client_read(const json_t *json, Arena *arena, OauthClient *ret_client) {
    const char *id = NULL, *name = NULL, *secret = NULL, *scope = "openid profile email";
    const char *alg = "ES256";
    json_t *redirects = NULL, *logouts = NULL;
    int trusted = 0, device_grant = 0;
    json_error_t error;

    if (json_unpack_ex((json_t *)json, &error, JSON_STRICT, "{s:s,s:s,s?s,s?o,s?o,s?s,s?s,s?b,s?b}",
                       "id", &id, "name", &name, "secret_sha256", &secret, "redirect_uris",
                       &redirects, "post_logout_redirect_uris", &logouts, "scope", &scope,
                       "id_token_signed_response_alg", &alg, "device_grant", &device_grant,
                       "trusted", &trusted) < 0) {
        return arena_strdup(arena, str_from(error.text));
    }
    if (id[0] == '\0' || strlen(id) > CLIENT_ID_LEN_MAX || id[strspn(id, id_chars)] != '\0') {
        return "id";
    }
    if (name[0] == '\0' || strlen(name) > NAME_LEN_MAX) {
        return "name";
    }
    if (secret && hex_decode(str_from(secret), ret_client->secret_hash, DIGEST_LEN) < 0) {
        return "secret_sha256";
    }
    if ((!redirects && !device_grant) ||
        read_uris(redirects, arena, &ret_client->redirect_uris) < 0) {
        return "redirect_uris";
    }
    if (read_uris(logouts, arena, &ret_client->post_logout_redirect_uris) < 0) {
        return "post_logout_redirect_uris";
    }
    if (scopes_parse(str_from(scope), &ret_client->scopes) < 0) {
        return "scope";
    }
    if (strcmp(alg, "ES256") != 0 && strcmp(alg, "EdDSA") != 0) {
        return "id_token_signed_response_alg";
    }
    ret_client->id = arena_strdup(arena, str_from(id));
    ret_client->name = arena_strdup(arena, str_from(name));
    ret_client->confidential = secret != NULL;
    ret_client->trusted = trusted;
    ret_client->device_grant = device_grant;
    ret_client->id_token_alg = strcmp(alg, "EdDSA") == 0 ? JWK_ALG_EDDSA : JWK_ALG_ES256;
    ret_client->remembers = secret || is_https(ret_client->redirect_uris);
    return NULL;
}

static json_t *write_uris(const char *const *uris) {
    json_t *array = json_array();

    for (; *uris; uris++) {
        json_array_append_new(array, json_string(*uris));
    }
    return array;
}

json_t *oauth_client_write(const OauthClient *client) {
    _cleanup_(buf_done) Buf scope = BUF_INIT;
    char secret[2 * DIGEST_LEN + 1];
    json_t *json;

    scopes_write(client->scopes, &scope);
    json = json_pack("{s:s,s:s,s:o,s:o,s:s,s:s,s:b,s:b}", "id", client->id, "name", client->name,
                     "redirect_uris", write_uris(client->redirect_uris),
                     "post_logout_redirect_uris", write_uris(client->post_logout_redirect_uris),
                     "scope", buf_cstr(&scope), "id_token_signed_response_alg",
                     client->id_token_alg == JWK_ALG_EDDSA ? "EdDSA" : "ES256", "device_grant",
                     client->device_grant, "trusted", client->trusted);
    if (client->confidential) {
        hex_encode((Str){(const char *)client->secret_hash, DIGEST_LEN}, secret);
        json_object_set_new(json, "secret_sha256", json_stringn(secret, sizeof(secret) - 1));
    }
    return json;
}

static OauthClient cli_client(Arena *arena) {
    const char **none = arena_alloc(arena, sizeof(*none));

    return (OauthClient){.id = OAUTH_CLI_CLIENT,
                         .name = "Image Sync command line",
                         .device_grant = true,
                         .redirect_uris = none,
                         .post_logout_redirect_uris = none,
                         .scopes = SCOPES_ALL,
                         .id_token_alg = JWK_ALG_ES256};
}

static int read_all(const json_t *array, OauthClients *clients, Arena *arena, const char **reterr) {
    size_t n = json_array_size(array);

    clients->clients = arena_alloc(clients->arena, (n + 1) * sizeof(OauthClient));
    for (size_t i = 0; i < n; i++) {
        OauthClient client = {0};
        const char *where = oauth_client_read(json_array_get(array, i), clients->arena, &client);
        if (where) {
            *reterr = arena_printf(arena, "client %zu: %s: not as it has to be", i + 1, where);
            return -EINVAL;
        }
        if (oauth_clients_find(clients, str_from(client.id))) {
            *reterr = arena_printf(arena, "client %zu: the id %s is there twice", i + 1, client.id);
            return -EINVAL;
        }
        clients->clients[clients->n_clients++] = client;
    }
    return 0;
}

static int read_file(const char *path, Buf *out) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? err_errno() : fd_read_to_end(fd, FILE_LEN_MAX, out);
}

static int read_clients(const char *path, OauthClients *clients, Arena *arena,
                        const char **reterr) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    json_error_t error = {0};
    const json_t *array;
    int r = read_file(path, &text);

    if (r < 0) {
        *reterr = arena_printf(arena, "--oidc-clients: cannot read %s: %s", path, strerror(-r));
        return -EINVAL;
    }
    json = json_loadb(buf_cstr(&text), text.len, JSON_REJECT_DUPLICATES, &error);
    array = json_object_get(json, "clients");
    if (!json_is_array(array) || json_array_size(array) > CLIENTS_MAX) {
        *reterr =
            arena_printf(arena, "--oidc-clients: %s: no JSON object with a list \"clients\"%s%s",
                         path, error.text[0] ? ": " : "", error.text);
        return -EINVAL;
    }
    r = read_all(array, clients, arena, reterr);
    if (r < 0) {
        *reterr = arena_printf(arena, "--oidc-clients: %s: %s", path, *reterr);
    }
    return r;
}

int oauth_clients_read(const char *path, bool cli, Arena *arena, OauthClients **ret_clients,
                       const char **reterr) {
    _cleanup_(oauth_clients_freep) OauthClients *clients = calloc(1, sizeof(*clients));
    int r;

    if (!clients) {
        abort();
    }
    clients->arena = arena_new();
    if (path[0] != '\0') {
        r = read_clients(path, clients, arena, reterr);
        if (r < 0) {
            return r;
        }
    } else {
        clients->clients = arena_alloc(clients->arena, sizeof(OauthClient));
    }
    if (cli && !oauth_clients_find(clients, str_lit(OAUTH_CLI_CLIENT))) {
        clients->clients[clients->n_clients++] = cli_client(clients->arena);
    }
    *ret_clients = TAKE_PTR(clients);
    return 0;
}
