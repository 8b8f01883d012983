/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/attempt_counts.h"

#include "base/crypto/digest.h"
#include "base/crypto/secret.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_US    1000000LL
#define HASH_LEN     16u /* of DIGEST_LEN: enough that no two meet */
#define NETWORK_SIZE 9u  /* a letter for the family, and at most 8 bytes */
#define NETWORK_MS   (ATTEMPT_NETWORK_DAYS * 86400u * 1000u)
_Static_assert(ATTEMPT_NETWORK_DAYS < UINT32_MAX / 86400000u, "it fits the cache's time to live");

struct AttemptCounts {
    Cache *shared, *local;
    uint64_t per_network;
    uint8_t key[DIGEST_LEN];
};

/* 0 in `free`: as many as the settings say. */
static const struct {
    uint64_t free;
    uint32_t window_s;
} kinds[_ATTEMPT_KIND_MAX] = {
    [ATTEMPT_NETWORK] = {0, 3600}, [ATTEMPT_PASSWORD] = {5, 86400},
    [ATTEMPT_CODE] = {5, 86400},   [ATTEMPT_MAIL] = {3, 3600},
    [ATTEMPT_DEVICE] = {0, 3600},  [ATTEMPT_USER_CODE] = {10, 3600},
};

typedef struct Keys {
    char count[64], until[64]; /* how many there were; when the next one may be */
} Keys;

typedef struct Network {
    char bytes[NETWORK_SIZE];
    size_t len;
} Network;

static Str network_str(const Network *network) {
    return (Str){network->bytes, network->len};
}

/* IPv4 whole, also where it is written as IPv6; IPv6 by its first 64 bits. */
static Network network_of(const char *address) {
    struct in6_addr six;
    struct in_addr four;
    Network network = {.bytes = {'?'}, .len = 1}; /* no address: all such are one */

    if (inet_pton(AF_INET6, address, &six) == 1) {
        bool mapped = IN6_IS_ADDR_V4MAPPED(&six);
        size_t len = mapped ? 4 : 8;
        network.bytes[0] = mapped ? '4' : '6';
        memcpy(network.bytes + 1, six.s6_addr + (mapped ? 12 : 0), len);
        network.len = 1 + len;
    } else if (inet_pton(AF_INET, address, &four) == 1) {
        network.bytes[0] = '4';
        memcpy(network.bytes + 1, &four, sizeof(four));
        network.len = 1 + sizeof(four);
    }
    return network;
}

static void hash(const AttemptCounts *counts, const Str *parts, size_t n_parts,
                 uint8_t ret_hash[DIGEST_LEN]) {
    _cleanup_(buf_done) Buf bytes = BUF_INIT;

    for (size_t i = 0; i < n_parts; i++) {
        uint64_t len = parts[i].len;
        buf_add(&bytes, &len, sizeof(len));
        buf_add_str(&bytes, parts[i]);
    }
    digest_hmac((Str){(const char *)counts->key, sizeof(counts->key)}, buf_str(&bytes), ret_hash);
}

/* `network` empty: of everybody whose network is not known. */
static void make_keys(const AttemptCounts *counts, AttemptKind kind, Str account, Str network,
                      Keys *ret_keys) {
    const char number = (char)('0' + kind);
    const Str parts[] = {{&number, 1}, account, network};
    uint8_t digest[DIGEST_LEN];
    char hex[2 * HASH_LEN + 1];

    hash(counts, parts, ARRAY_LEN(parts), digest);
    hex_encode((Str){(const char *)digest, HASH_LEN}, hex);
    snprintf(ret_keys->count, sizeof(ret_keys->count), "attempts/%s", hex);
    snprintf(ret_keys->until, sizeof(ret_keys->until), "attempts-until/%s", hex);
}

/* 0 with when the next attempt may be, 0 for now; or a fault of the cache. */
static int get_until(Cache *cache, const Keys *keys, int64_t *ret_until_us) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    int64_t until_us = 0;
    Str value;
    int r = cache_get(cache, str_from(keys->until), arena, &value);

    if (r == 0 && value.len == sizeof(until_us)) {
        memcpy(&until_us, value.ptr, sizeof(until_us));
    }
    if (r < 0) {
        return r;
    }
    *ret_until_us = until_us;
    return 0;
}

static uint32_t wait_until(int64_t until_us, int64_t now_us) {
    return until_us <= now_us ? 0
                              : (uint32_t)MIN((until_us - now_us + SECOND_US - 1) / SECOND_US,
                                              (int64_t)ATTEMPT_WAIT_MAX_S);
}

/* The turn is that attempt's which says first how long the next one has to wait. */
static int take_turn(Cache *cache, const Keys *keys, uint32_t delay_s, int64_t now_us,
                     uint32_t *ret_wait_s) {
    int64_t until_us = now_us + delay_s * SECOND_US;
    const Str value = {(const char *)&until_us, sizeof(until_us)};
    int r = cache_add(cache, str_from(keys->until), value, delay_s * 1000);

    *ret_wait_s = 0;
    if (r == CACHE_E_EXISTS) {
        r = get_until(cache, keys, &until_us);
        *ret_wait_s = r < 0 ? 0 : wait_until(until_us, now_us);
        if (r == 0 && *ret_wait_s == 0) { /* it ends just now */
            until_us = now_us + delay_s * SECOND_US;
            r = cache_put(cache, str_from(keys->until), value, delay_s * 1000);
        }
    }
    return r;
}

/* 0 with *ret_wait_s, or a fault of the cache. */
static int take(Cache *cache, AttemptKind kind, uint64_t free, const Keys *keys, int64_t now_us,
                uint32_t *ret_wait_s) {
    int64_t until_us;
    uint64_t count;
    int r = get_until(cache, keys, &until_us);

    if (r < 0) {
        return r;
    }
    *ret_wait_s = wait_until(until_us, now_us);
    if (*ret_wait_s > 0) {
        return 0;
    }
    r = cache_count(cache, str_from(keys->count), 1, kinds[kind].window_s * 1000, &count);
    if (r < 0 || count < free) {
        return r;
    }
    return take_turn(cache, keys,
                     (uint32_t)MIN(1u << MIN(count - free, 10u), (uint32_t)ATTEMPT_WAIT_MAX_S),
                     now_us, ret_wait_s);
}

static uint32_t take_either(AttemptCounts *counts, AttemptKind kind, const Keys *keys,
                            int64_t now_us) {
    uint64_t free = kinds[kind].free ? kinds[kind].free : counts->per_network;
    uint32_t wait_s;

    if (take(counts->shared, kind, free, keys, now_us, &wait_s) >= 0) {
        return wait_s;
    }
    /* What cannot be counted at all waits: nobody guesses passwords while the cache is away. */
    return take(counts->local, kind, free, keys, now_us, &wait_s) >= 0 ? wait_s : 1;
}

uint32_t attempt_counts_take_network(AttemptCounts *counts, AttemptKind kind, const char *address,
                                     int64_t now_us) {
    Network network = network_of(address);
    Keys keys;

    make_keys(counts, kind, (Str){0}, network_str(&network), &keys);
    return take_either(counts, kind, &keys, now_us);
}

/* The networks of an account: hashes of HASH_LEN bytes, the latest first. */
typedef struct Known {
    char key[64];
    uint8_t hash[DIGEST_LEN]; /* of the network that is asked about */
    Str hashes;
    size_t at; /* where it stands in these; hashes.len: nowhere */
} Known;

static void find_network(AttemptCounts *counts, Str account, const Network *network, Arena *arena,
                         Known *ret_known) {
    const Str parts[] = {str_lit("networks"), account, network_str(network)};
    uint8_t of_account[DIGEST_LEN];
    char hex[2 * HASH_LEN + 1];
    Known known = {0};

    hash(counts, parts, 2, of_account);
    hash(counts, parts, 3, known.hash);
    hex_encode((Str){(const char *)of_account, HASH_LEN}, hex);
    snprintf(known.key, sizeof(known.key), "attempts-networks/%s", hex);
    if (cache_get(counts->shared, str_from(known.key), arena, &known.hashes) < 0 &&
        cache_get(counts->local, str_from(known.key), arena, &known.hashes) < 0) {
        known.hashes = (Str){0};
    }
    known.hashes.len = MIN(known.hashes.len / HASH_LEN, ATTEMPT_NETWORKS_MAX) * HASH_LEN;
    while (known.at < known.hashes.len &&
           memcmp(known.hashes.ptr + known.at, known.hash, HASH_LEN) != 0) {
        known.at += HASH_LEN;
    }
    *ret_known = known;
}

/* With whom an attempt is counted: its own network, or everybody else. */
static Str counted_with(const Known *known, const Network *network) {
    return known->at < known->hashes.len ? network_str(network) : (Str){0};
}

uint32_t attempt_counts_take(AttemptCounts *counts, AttemptKind kind, Str account,
                             const char *address, int64_t now_us) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Network network = network_of(address);
    Known known;
    Keys keys;

    find_network(counts, account, &network, arena, &known);
    make_keys(counts, kind, account, counted_with(&known, &network), &keys);
    return take_either(counts, kind, &keys, now_us);
}

static void clear(AttemptCounts *counts, AttemptKind kind, Str account, Str network) {
    Cache *const caches[] = {counts->shared, counts->local};
    Keys keys;

    make_keys(counts, kind, account, network, &keys);
    for (size_t i = 0; i < ARRAY_LEN(caches); i++) {
        (void)cache_remove(caches[i], str_from(keys.count));
        (void)cache_remove(caches[i], str_from(keys.until));
    }
}

/* Its network becomes the first; the one that was not used for longest makes room. */
static void remember(AttemptCounts *counts, const Known *known) {
    uint8_t hashes[ATTEMPT_NETWORKS_MAX * HASH_LEN];
    size_t len = HASH_LEN;

    memcpy(hashes, known->hash, HASH_LEN);
    for (size_t i = 0; i < known->hashes.len && len < sizeof(hashes); i += HASH_LEN) {
        if (i != known->at) {
            memcpy(hashes + len, known->hashes.ptr + i, HASH_LEN);
            len += HASH_LEN;
        }
    }
    (void)cache_put(counts->shared, str_from(known->key), (Str){(const char *)hashes, len},
                    NETWORK_MS);
    /* For when the other is away. */
    (void)cache_put(counts->local, str_from(known->key), (Str){(const char *)hashes, len},
                    NETWORK_MS);
}

void attempt_counts_succeeded(AttemptCounts *counts, Str account, const char *address) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Network network = network_of(address);
    Known known;

    find_network(counts, account, &network, arena, &known);
    clear(counts, ATTEMPT_PASSWORD, account, counted_with(&known, &network));
    clear(counts, ATTEMPT_CODE, account, counted_with(&known, &network));
    remember(counts, &known);
}

AttemptCounts *attempt_counts_new(Cache *shared, Cache *local, uint64_t per_network,
                                  Str key_material) {
    AttemptCounts *counts = calloc(1, sizeof(*counts));

    if (!counts) {
        abort();
    }
    counts->shared = shared;
    counts->local = local;
    counts->per_network = per_network;
    digest_hkdf(key_material, (Str){0}, str_lit("imagesync/attempts"), counts->key,
                sizeof(counts->key));
    return counts;
}

AttemptCounts *attempt_counts_free(AttemptCounts *counts) {
    if (counts) {
        secret_wipe(counts->key, sizeof(counts->key));
        free(counts);
    }
    return NULL;
}
