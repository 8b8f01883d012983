/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/issuer/remote.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/http/fetch.h"
#include "base/http/form.h"
#include "services/user/oidc/oidc.h"

#include <pthread.h>
#include <stdatomic.h>

#define ANSWER_LEN_MAX     ((size_t)256 << 10)
#define TIMEOUT_MS         5000
#define CONNECT_TIMEOUT_MS 3000
/* How many calls wait for issuers at once. Each holds one of the threads that answer requests, and
 * an issuer that hangs must not take them all: further ones are told to come back. */
#define CALLS_MAX 3
#define SECOND_US 1000000LL
#define FRESH_US  (3600 * SECOND_US)
#define STALE_US  (86400 * SECOND_US)
#define RETRY_US  (5 * SECOND_US) /* after a failure */

/* What an issuer published, as it was when it last answered. */
typedef struct Published {
    Arena *arena; /* of the endpoints' strings */
    IssuerEndpoints endpoints;
    int64_t endpoints_us, endpoints_failed_us;
    Jwks *keys;
    int64_t keys_us, keys_failed_us, keys_sought_us;
} Published;

struct IssuerRemote {
    const Issuers *issuers;
    Fetcher *fetcher;
    atomic_uint calls;
    pthread_mutex_t lock; /* of `published`; never held while the network is waited for */
    Published *published; /* one for each issuer */
};

int issuer_remote_new(const Issuers *issuers, IssuerRemote **ret_remote) {
    _cleanup_(issuer_remote_freep) IssuerRemote *remote = calloc(1, sizeof(*remote));
    int r;

    if (!remote || !(remote->published = calloc(MAX(issuers->n_issuers, 1u), sizeof(Published)))) {
        abort();
    }
    remote->issuers = issuers;
    pthread_mutex_init(&remote->lock, NULL);
    if (issuers->n_issuers > 0) {
        r = fetcher_new(&(FetchOptions){.threads = CALLS_MAX,
                                        .queue_max = CALLS_MAX,
                                        .size_max = ANSWER_LEN_MAX,
                                        .timeout_ms = TIMEOUT_MS,
                                        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                        .redirects_max = 0,
                                        .guard = &issuers->guard},
                        &remote->fetcher);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_remote = TAKE_PTR(remote);
    return 0;
}

IssuerRemote *issuer_remote_free(IssuerRemote *remote) {
    if (remote) {
        fetcher_free(remote->fetcher);
        for (size_t i = 0; i < remote->issuers->n_issuers; i++) {
            jwks_free(remote->published[i].keys);
            if (remote->published[i].arena) {
                arena_free(remote->published[i].arena);
            }
        }
        pthread_mutex_destroy(&remote->lock);
        free(remote->published);
        free(remote);
    }
    return NULL;
}

static Published *published_of(IssuerRemote *remote, const Issuer *issuer) {
    return &remote->published[issuer - remote->issuers->issuers];
}

static int away(Arena *arena, const char *what, const char *why, const char **reterr) {
    *reterr = arena_printf(arena, "%s: %s", what, why);
    return ISSUER_E_AWAY;
}

/* The text of an answer. `what` is for the log. */
static int ask(IssuerRemote *remote, const char *what, const FetchRequest *request, Arena *arena,
               Str *ret_text, const char **reterr) {
    FetchResult result;
    _cleanup_(fd_closep) int fd = -1;
    char *text;

    if (atomic_fetch_add(&remote->calls, 1) >= CALLS_MAX) {
        atomic_fetch_sub(&remote->calls, 1);
        return away(arena, what, "Too many wait for an issuer already.", reterr);
    }
    fetcher_call(remote->fetcher, request, arena, &result);
    atomic_fetch_sub(&remote->calls, 1);
    fd = result.fd;
    if (result.status != FETCH_OK) {
        return away(arena, what, result.detail, reterr);
    }
    text = arena_alloc(arena, result.len + 1);
    if (fd_pread_all(fd, text, result.len, 0) < 0) {
        return away(arena, what, "The answer cannot be read.", reterr);
    }
    *ret_text = (Str){text, result.len};
    return 0;
}

static int ask_json(IssuerRemote *remote, const char *what, const FetchRequest *request,
                    Arena *arena, json_t **ret_json, const char **reterr) {
    json_t *json;
    Str text;
    int r = ask(remote, what, request, arena, &text, reterr);

    if (r != 0) {
        return r;
    }
    json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        return away(arena, what, "The answer is no JSON object.", reterr);
    }
    *ret_json = json;
    return 0;
}

/* An address that the issuer names: as safe as its own. NULL: absent, or not to be used. */
static const char *url_member(const json_t *json, const char *name, const Issuer *issuer,
                              Arena *arena) {
    const json_t *value = json_object_get(json, name);
    Str url = {json_string_value(value), json_string_length(value)};

    if (!json_is_string(value) || !issuer_url_is_allowed(url) ||
        (issuer_url_is_loopback(url) && !issuer_url_is_loopback(str_from(issuer->issuer)))) {
        return NULL;
    }
    return arena_strdup(arena, url);
}

static int read_discovery(const json_t *json, const Issuer *issuer, Arena *arena,
                          IssuerEndpoints *ret_endpoints, const char **reterr) {
    static const char what[] = "discovery";
    const json_t *name = json_object_get(json, "issuer");
    IssuerEndpoints endpoints = {
        .authorization = url_member(json, "authorization_endpoint", issuer, arena),
        .token = url_member(json, "token_endpoint", issuer, arena),
        .jwks = url_member(json, "jwks_uri", issuer, arena),
        .userinfo = url_member(json, "userinfo_endpoint", issuer, arena),
        .sends_iss =
            json_is_true(json_object_get(json, "authorization_response_iss_parameter_supported")),
    };

    /* Discovery 1.0, section 4.3: byte by byte. */
    if (!json_is_string(name) || strcmp(json_string_value(name), issuer->issuer) != 0) {
        return away(arena, what, "It speaks for another issuer.", reterr);
    }
    if (!endpoints.authorization || !endpoints.token || !endpoints.jwks) {
        return away(arena, what, "An endpoint is missing, or is not https.", reterr);
    }
    *ret_endpoints = endpoints;
    return 0;
}

static int fetch_discovery(IssuerRemote *remote, const Issuer *issuer, Arena *arena,
                           IssuerEndpoints *ret_endpoints, const char **reterr) {
    size_t len = strlen(issuer->issuer);
    bool slash = issuer->issuer[len - 1] == '/';
    _cleanup_(json_decrefp) json_t *json = NULL;
    const FetchRequest request = {.url =
                                      arena_printf(arena, "%.*s/.well-known/openid-configuration",
                                                   (int)(len - (slash ? 1 : 0)), issuer->issuer),
                                  .accept = "application/json"};
    int r = ask_json(remote, "discovery", &request, arena, &json, reterr);

    return r != 0 ? r : read_discovery(json, issuer, arena, ret_endpoints, reterr);
}

static const char *copy(Arena *arena, const char *text) {
    return text ? arena_strdup(arena, str_from(text)) : NULL;
}

static IssuerEndpoints copy_endpoints(Arena *arena, const IssuerEndpoints *from) {
    return (IssuerEndpoints){copy(arena, from->authorization), copy(arena, from->token),
                             copy(arena, from->jwks), copy(arena, from->userinfo), from->sends_iss};
}

static void keep_endpoints(Published *published, const IssuerEndpoints *endpoints, int64_t now_us) {
    if (published->arena) {
        arena_free(published->arena);
    }
    published->arena = arena_new();
    published->endpoints = copy_endpoints(published->arena, endpoints);
    published->endpoints_us = now_us;
}

int issuer_remote_endpoints(IssuerRemote *remote, const Issuer *issuer, int64_t now_us,
                            Arena *arena, IssuerEndpoints *ret_endpoints, const char **reterr) {
    Published *published = published_of(remote, issuer);
    IssuerEndpoints endpoints = {0};
    bool fresh, failed;
    int r = away(arena, "discovery", "It did not answer a moment ago.", reterr);

    pthread_mutex_lock(&remote->lock);
    fresh = published->arena && now_us - published->endpoints_us < FRESH_US;
    failed = now_us - published->endpoints_failed_us < RETRY_US;
    pthread_mutex_unlock(&remote->lock);
    if (!fresh && !failed) {
        r = fetch_discovery(remote, issuer, arena, &endpoints, reterr);
    }
    pthread_mutex_lock(&remote->lock);
    if (r == 0) {
        keep_endpoints(published, &endpoints, now_us);
    } else if (!fresh && !failed) {
        published->endpoints_failed_us = now_us;
    }
    if (published->arena && now_us - published->endpoints_us < STALE_US) {
        *ret_endpoints = copy_endpoints(arena, &published->endpoints);
        r = 0;
    }
    pthread_mutex_unlock(&remote->lock);
    return r;
}

/* Percent-encoded, as the form encoding of an id has to be inside Basic (RFC 6749 2.3.1). */
static const char *basic(const Issuer *issuer, Arena *arena) {
    _cleanup_(buf_done) Buf id = BUF_INIT, secret = BUF_INIT, pair = BUF_INIT, text = BUF_INIT;

    oidc_add_param(&id, "", issuer->client_id);
    oidc_add_param(&secret, "", issuer->client_secret);
    buf_addf(&pair, "%s:%s", buf_cstr(&id) + 1, buf_cstr(&secret) + 1);
    buf_addf(&text, "Basic ");
    base64_encode(buf_str(&pair), &text);
    return arena_strdup(arena, buf_str(&text));
}

int issuer_remote_redeem(IssuerRemote *remote, const Issuer *issuer,
                         const IssuerEndpoints *endpoints, const char *code, const char *verifier,
                         const char *redirect_uri, Arena *arena, IssuerTokens *ret_tokens,
                         const char **reterr) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    _cleanup_(buf_done) Buf form = BUF_INIT;
    FetchRequest request = {.url = endpoints->token, .accept = "application/json"};
    const json_t *id_token, *access_token;
    int r;

    oidc_add_param(&form, "grant_type", "authorization_code");
    oidc_add_param(&form, "code", code);
    oidc_add_param(&form, "redirect_uri", redirect_uri);
    oidc_add_param(&form, "code_verifier", verifier);
    if (issuer->auth == ISSUER_AUTH_BASIC) {
        request.authorization = basic(issuer, arena);
    } else {
        oidc_add_param(&form, "client_id", issuer->client_id);
    }
    if (issuer->auth == ISSUER_AUTH_POST) {
        oidc_add_param(&form, "client_secret", issuer->client_secret);
    }
    request.form = buf_cstr(&form);
    r = ask_json(remote, "token endpoint", &request, arena, &json, reterr);
    if (r != 0) {
        return r;
    }
    id_token = json_object_get(json, "id_token");
    access_token = json_object_get(json, "access_token");
    if (!json_is_string(id_token)) {
        return away(arena, "token endpoint", "There is no ID token in the answer.", reterr);
    }
    *ret_tokens = (IssuerTokens){copy(arena, json_string_value(id_token)),
                                 copy(arena, json_string_value(access_token))};
    return 0;
}

/* Asks for the keys anew; those there were stay when there are none to be had. */
static int fetch_keys(IssuerRemote *remote, const Issuer *issuer, const IssuerEndpoints *endpoints,
                      int64_t now_us, Arena *arena, const char **reterr) {
    Published *published = published_of(remote, issuer);
    const FetchRequest request = {.url = endpoints->jwks, .accept = "application/json"};
    Jwks *keys = NULL;
    Str text;
    int r = ask(remote, "keys", &request, arena, &text, reterr);

    if (r == 0 && jwks_read(text, &keys) != 0) {
        r = away(arena, "keys", "The answer is no set of keys that can be trusted.", reterr);
    }
    pthread_mutex_lock(&remote->lock);
    if (r == 0) {
        jwks_free(published->keys);
        published->keys = keys;
        published->keys_us = now_us;
    } else {
        published->keys_failed_us = now_us;
    }
    pthread_mutex_unlock(&remote->lock);
    return r;
}

/* Whether keys are to be fetched before they are looked at: too old, or none. */
static bool are_old(IssuerRemote *remote, Published *published, int64_t now_us) {
    bool old;

    pthread_mutex_lock(&remote->lock);
    old = (!published->keys || now_us - published->keys_us >= FRESH_US) &&
          now_us - published->keys_failed_us >= RETRY_US;
    pthread_mutex_unlock(&remote->lock);
    return old;
}

/* Whether a key that is not there may be looked for now: strangers' tokens must not make us ask
 * and ask. */
static bool may_seek(IssuerRemote *remote, Published *published, int64_t now_us) {
    bool may;

    pthread_mutex_lock(&remote->lock);
    may = now_us - published->keys_sought_us >= ISSUER_REFETCH_S * SECOND_US;
    if (may) {
        published->keys_sought_us = now_us;
    }
    pthread_mutex_unlock(&remote->lock);
    return may;
}

/* ISSUER_E_AWAY: there are no keys. Else what jwt_verify() says. */
static int verify(IssuerRemote *remote, const Issuer *issuer, Str id_token, int64_t now_us,
                  json_t **ret_claims, int *ret_verdict) {
    Published *published = published_of(remote, issuer);
    const JwtExpect expect = {.issuer = issuer->issuer,
                              .audience = issuer->client_id,
                              .now_s = now_us / SECOND_US,
                              .leeway_s = ISSUER_LEEWAY_S};
    bool usable;

    pthread_mutex_lock(&remote->lock);
    usable = published->keys && now_us - published->keys_us < STALE_US;
    if (usable) {
        *ret_verdict = jwt_verify(id_token, published->keys, &expect, ret_claims);
    }
    pthread_mutex_unlock(&remote->lock);
    return usable ? 0 : ISSUER_E_AWAY;
}

static int forged(int verdict, Arena *arena, const char **reterr) {
    static const char *const reasons[] = {
        [JWT_E_MALFORMED] = "no signed token",
        [JWT_E_UNKNOWN_KEY] = "signed with a key that the issuer does not publish",
        [JWT_E_ALGORITHM] = "an algorithm that is not the key's",
        [JWT_E_SIGNATURE] = "a wrong signature",
        [JWT_E_TYPE] = "another type",
        [JWT_E_ISSUER] = "another issuer",
        [JWT_E_AUDIENCE] = "meant for another client",
        [JWT_E_EXPIRED] = "expired",
        [JWT_E_NOT_YET] = "from the future",
    };

    *reterr = arena_printf(arena, "ID token: %s", reasons[verdict]);
    return ISSUER_E_FORGED;
}

int issuer_remote_verify(IssuerRemote *remote, const Issuer *issuer,
                         const IssuerEndpoints *endpoints, Str id_token, int64_t now_us,
                         Arena *arena, json_t **ret_claims, const char **reterr) {
    Published *published = published_of(remote, issuer);
    int verdict = 0, r;

    *reterr = "keys: There are none.";
    if (are_old(remote, published, now_us)) {
        /* What there was before may still do. */
        (void)fetch_keys(remote, issuer, endpoints, now_us, arena, reterr);
    }
    r = verify(remote, issuer, id_token, now_us, ret_claims, &verdict);
    if (r == 0 && verdict == JWT_E_UNKNOWN_KEY && may_seek(remote, published, now_us)) {
        (void)fetch_keys(remote, issuer, endpoints, now_us, arena, reterr);
        r = verify(remote, issuer, id_token, now_us, ret_claims, &verdict);
    }
    if (r != 0 || verdict == 0) {
        return r;
    }
    return verdict < 0 ? err_trace(verdict) : forged(verdict, arena, reterr);
}

int issuer_remote_userinfo(IssuerRemote *remote, const IssuerEndpoints *endpoints,
                           const char *access_token, Arena *arena, json_t **ret_claims,
                           const char **reterr) {
    /* A header's value: nothing that could end it. */
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._~+/=";
    FetchRequest request = {.url = endpoints->userinfo, .accept = "application/json"};

    if (access_token[0] == '\0' || access_token[strspn(access_token, chars)] != '\0') {
        return away(arena, "userinfo", "The access token is none (RFC 6750 2.1).", reterr);
    }
    request.authorization = arena_printf(arena, "Bearer %s", access_token);
    return ask_json(remote, "userinfo", &request, arena, ret_claims, reterr);
}
