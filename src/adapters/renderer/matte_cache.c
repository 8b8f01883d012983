/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/renderer/matte_cache.h"

#include "base/error.h"

#include <assert.h>
#include <openssl/evp.h>

typedef struct Entry {
    struct Entry *next; /* used less recently */
    MatteKey key;
    uint64_t pixels;
    uint8_t matte[];
} Entry;

struct MatteCache {
    Entry *newest;
    uint64_t bytes, bytes_max;
};

MatteCache *matte_cache_new(uint64_t bytes_max) {
    MatteCache *cache = calloc(1, sizeof(*cache));

    if (cache) {
        cache->bytes_max = bytes_max;
    }
    return cache;
}

MatteCache *matte_cache_free(MatteCache *cache) {
    if (cache) {
        for (Entry *entry = cache->newest, *next; entry; entry = next) {
            next = entry->next;
            free(entry);
        }
        free(cache);
    }
    return NULL;
}

int matte_key(const uint8_t *rgb, uint32_t width, uint32_t height, const char *model,
              MatteKey *ret_key) {
    const uint32_t size[2] = {width, height};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(context, size, sizeof(size)) == 1 &&
              EVP_DigestUpdate(context, rgb, (size_t)width * height * 3) == 1 &&
              EVP_DigestUpdate(context, model, strlen(model)) == 1 &&
              EVP_DigestFinal_ex(context, ret_key->bytes, NULL) == 1;

    EVP_MD_CTX_free(context);
    return ok ? 0 : err_trace(-EIO);
}

/* The place that points at the entry, at the end of the list when there is none. */
static Entry **find(MatteCache *cache, const MatteKey *key) {
    Entry **place = &cache->newest;

    while (*place && memcmp(&(*place)->key, key, sizeof(*key)) != 0) {
        place = &(*place)->next;
    }
    return place;
}

static Entry *unlink_entry(MatteCache *cache, Entry **place) {
    Entry *entry = *place;

    *place = entry->next;
    cache->bytes -= entry->pixels;
    return entry;
}

static void link_newest(MatteCache *cache, Entry *entry) {
    entry->next = cache->newest;
    cache->newest = entry;
    cache->bytes += entry->pixels;
}

bool matte_cache_get(MatteCache *cache, const MatteKey *key, float *ret_matte, uint64_t pixels) {
    Entry **place = find(cache, key), *entry;

    if (!*place || (*place)->pixels != pixels) {
        return false;
    }
    entry = unlink_entry(cache, place);
    link_newest(cache, entry);
    for (uint64_t i = 0; i < pixels; i++) {
        ret_matte[i] = (float)entry->matte[i] * (1.0f / 255.0f);
    }
    return true;
}

static void drop_oldest(MatteCache *cache) {
    Entry **place = &cache->newest;

    assert(*place);
    while ((*place)->next) {
        place = &(*place)->next;
    }
    free(unlink_entry(cache, place));
}

void matte_cache_put(MatteCache *cache, const MatteKey *key, const float *matte, uint64_t pixels) {
    Entry **place = find(cache, key), *entry;

    if (*place) {
        free(unlink_entry(cache, place));
    }
    if (pixels > cache->bytes_max || !(entry = malloc(sizeof(*entry) + pixels))) {
        return;
    }
    while (cache->bytes + pixels > cache->bytes_max) {
        drop_oldest(cache);
    }
    entry->key = *key;
    entry->pixels = pixels;
    for (uint64_t i = 0; i < pixels; i++) {
        /* A worker can write here meanwhile: read once, and let no NaN reach the conversion. */
        float value = ((const volatile float *)matte)[i];
        value = value > 0.0f ? (value < 1.0f ? value : 1.0f) : 0.0f;
        entry->matte[i] = (uint8_t)(value * 255.0f + 0.5f);
    }
    link_newest(cache, entry);
}
