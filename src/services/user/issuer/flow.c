/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/issuer/flow.h"

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/random.h"
#include "base/http/cookie.h"

#define FLOW_COOKIE(secure) ((secure) ? "__Host-issuer" : "issuer")
#define FLOW_LEN_MAX        3500 /* of the cookie's value: a browser takes 4096 with the name */

static const char *const stage_names[] = {"sent", "code", "link", "agree", NULL};
static const char *const purpose_names[] = {"sign-in", "add", "prove", NULL};

static const JsonField flow_fields[] = {
    {"stage", JSON_FIELD_ENUM, offsetof(Flow, stage), true, .names = stage_names},
    {"purpose", JSON_FIELD_ENUM, offsetof(Flow, purpose), true, .names = purpose_names},
    {"issuer", JSON_FIELD_STR, offsetof(Flow, issuer), true},
    {"id", JSON_FIELD_STR, offsetof(Flow, id), true},
    {"nonce", JSON_FIELD_STR, offsetof(Flow, nonce), true},
    {"verifier", JSON_FIELD_STR, offsetof(Flow, verifier), true},
    {"back", JSON_FIELD_STR, offsetof(Flow, back), true},
    {"session", JSON_FIELD_STR, offsetof(Flow, session), true},
    {"fresh", JSON_FIELD_BOOL, offsetof(Flow, fresh), true},
    {"created", JSON_FIELD_U64, offsetof(Flow, created_s), true},
    {"subject", JSON_FIELD_STR, offsetof(Flow, subject), true},
    {"email", JSON_FIELD_STR, offsetof(Flow, email), true},
    {"authenticated", JSON_FIELD_U64, offsetof(Flow, authenticated_s), true},
    {"name", JSON_FIELD_STR, offsetof(Flow, name)},
    {"locale", JSON_FIELD_STR, offsetof(Flow, locale)},
    {"zone", JSON_FIELD_STR, offsetof(Flow, zone)},
    {0},
};

static const Str place = {"imagesync/issuer/flow", 21};

static const char *random_text(Arena *arena) {
    uint8_t bytes[32];
    Buf text = BUF_INIT;
    const char *made;

    random_bytes(bytes, sizeof(bytes));
    base64url_encode((Str){(const char *)bytes, sizeof(bytes)}, &text);
    made = arena_strdup(arena, buf_str(&text));
    buf_done(&text);
    return made;
}

void flow_begin(Flow *flow, Arena *arena, int64_t now_us) {
    flow->id = random_text(arena);
    flow->nonce = random_text(arena);
    flow->verifier = random_text(arena); /* 43 characters: RFC 7636 4.1 */
    flow->created_s = (uint64_t)(now_us / 1000000);
}

static const char *seal(const uint8_t key[AEAD_KEY_LEN], const Flow *flow, Arena *arena) {
    _cleanup_(json_decrefp) json_t *json = json_write(flow_fields, flow);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);
    _cleanup_(buf_done) Buf encoded = BUF_INIT;
    Str plain = str_from(text);
    uint8_t *sealed;

    if (!text) {
        abort(); /* nothing but exhausted memory: the strings were read as UTF-8 */
    }
    sealed = arena_alloc(arena, plain.len + AEAD_OVERHEAD);
    if (aead_seal(key, plain, place, sealed) < 0) {
        abort(); /* the strings are bounded, and the library is there */
    }
    base64url_encode((Str){(const char *)sealed, plain.len + AEAD_OVERHEAD}, &encoded);
    return arena_strdup(arena, buf_str(&encoded));
}

const char *flow_cookie(UserCall *call, const uint8_t key[AEAD_KEY_LEN], const Flow *flow) {
    bool secure = call->service->secure;
    const HttpCookie cookie = {.name = FLOW_COOKIE(secure),
                               .value = flow ? seal(key, flow, call->arena) : "",
                               .max_age_s = flow ? FLOW_LIFE_S : -1,
                               .same_site = HTTP_SAME_SITE_LAX,
                               .secure = secure,
                               .http_only = true};
    const char *value;

    if (http_cookie_format(&cookie, call->arena, &value) < 0) {
        abort(); /* the value is base64url, and the name keeps its prefix's rules */
    }
    return value;
}

bool flow_read(UserCall *call, const uint8_t key[AEAD_KEY_LEN], Flow *ret_flow) {
    const char *cookie = http_request_cookie(call->request, FLOW_COOKIE(call->service->secure));
    _cleanup_(json_decrefp) json_t *json = NULL;
    uint8_t sealed[FLOW_LEN_MAX], plain[FLOW_LEN_MAX];
    uint64_t now_s = (uint64_t)(call->now_us / 1000000);
    const char *where;
    size_t len;
    Flow flow = {.name = "", .locale = "", .zone = ""};

    if (!cookie || base64url_decode_into(str_from(cookie), sealed, sizeof(sealed), &len) < 0 ||
        len <= AEAD_OVERHEAD ||
        aead_open(key, (Str){(const char *)sealed, len}, place, plain) != 0) {
        return false;
    }
    json = json_loadb((const char *)plain, len - AEAD_OVERHEAD, 0, NULL);
    if (!json || json_read(json, flow_fields, call->arena, &flow, &where) < 0 ||
        now_s >= flow.created_s + FLOW_LIFE_S) {
        return false;
    }
    *ret_flow = flow;
    return true;
}

/* Hashed: the id is the state that a browser came back with. */
static Str used_key(UserCall *call, const Flow *flow) {
    uint8_t digest[DIGEST_LEN];
    char hex[DIGEST_HEX_SIZE];

    digest_sha256(str_from(flow->id), digest);
    hex_encode((Str){(const char *)digest, sizeof(digest)}, hex);
    return str_from(arena_printf(call->arena, "issuer-flow/%s", hex));
}

bool flow_use(UserCall *call, const Flow *flow) {
    const UserServiceOptions *options = &call->service->options;
    Str key = used_key(call, flow);
    int r = cache_add(options->cache, key, str_lit("-"), FLOW_LIFE_S * 1000);

    if (r < 0) { /* away: this process at least remembers */
        r = cache_add(options->local_cache, key, str_lit("-"), FLOW_LIFE_S * 1000);
    }
    return r == 0;
}

bool flow_was_used(UserCall *call, const Flow *flow) {
    const UserServiceOptions *options = &call->service->options;
    Str key = used_key(call, flow), value;

    return cache_get(options->cache, key, call->arena, &value) == 0 ||
           cache_get(options->local_cache, key, call->arena, &value) == 0;
}

bool flow_back_is_ours(const char *back) {
    if (back[0] != '/' || back[1] == '/' || back[1] == '\\' || strlen(back) > FLOW_BACK_MAX) {
        return false;
    }
    for (; *back; back++) {
        /* Browsers take a backslash for a slash, and leave out tabs and line breaks. */
        if (*back <= ' ' || *back > '~' || *back == '\\') {
            return false;
        }
    }
    return true;
}
