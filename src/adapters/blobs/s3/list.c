/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names in order. S3 lists keys byte by byte, as the port does names. A stage has a key for each of
 * its states: NAME/OFFSET, 16 digits that name no part of another stage.
 */

#include "adapters/blobs/s3/s3_private.h"
#include "adapters/blobs/s3/state.h"
#include "adapters/blobs/s3/xml.h"
#include "base/error.h"

#include <time.h>

#define ANSWER_MAX ((size_t)8 << 20) /* a key has at most 1024 bytes */

/* "2026-11-29T17:01:50.123Z"; 0 when it is no time. */
static int64_t time_of(const char *text) {
    struct tm parts = {0};

    return strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) ? timegm(&parts) * INT64_C(1000000) : 0;
}

int s3_list_page(const BlobsS3 *self, const char *prefix, const char *after, size_t max,
                 Arena *arena, S3Item **ret_items, size_t *ret_n, bool *ret_more) {
    _cleanup_(buf_done) Buf query = BUF_INIT;
    size_t prefix_len = strlen(prefix), n;
    S3Answer answer;
    S3XmlRow *rows;
    S3Item *items;
    int r;

    s3_query_add(&query, "list-type", str_lit("2"));
    s3_query_add(&query, "max-keys", str_from(arena_printf(arena, "%zu", max)));
    s3_query_add(&query, "prefix", str_from(prefix));
    if (after[0] != '\0') {
        /* With a slash: without it SeaweedFS leaves out "a/b" after "a". No name comes between. */
        s3_query_add(&query, "start-after", str_from(arena_printf(arena, "%s%s/", prefix, after)));
    }
    r = s3_do(self, &(S3Call){.method = "GET", .query = buf_cstr(&query), .answer_max = ANSWER_MAX},
              arena, &answer);
    if (r == 0) {
        r = s3_xml_rows(answer.http.body, "ListBucketResult", "Contents", arena, &rows, &n,
                        ret_more);
    }
    if (r < 0) {
        return err_trace(r == -EBADMSG ? -EIO : r);
    }
    items = arena_alloc(arena, (n + 1) * sizeof(*items));
    for (size_t i = 0; i < n; i++) {
        if (strncmp(rows[i].key, prefix, prefix_len) != 0 ||
            str_to_u64(str_from(rows[i].size), &items[i].size) < 0) {
            return err_trace(-EIO);
        }
        items[i].key = rows[i].key + prefix_len;
        items[i].changed_us = time_of(rows[i].changed);
    }
    *ret_items = items;
    *ret_n = n;
    return 0;
}

typedef struct Listing {
    BlobArea area;
    Str after;
    size_t max, n;
    BlobEntry *entries;
} Listing;

static int compare(Str a, Str b) {
    size_t len = MIN(a.len, b.len);
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* False: it is full. What is no name is not ours. */
static bool add(Listing *listing, const S3Item *item) {
    BlobEntry entry = {
        .name = str_from(item->key), .size = item->size, .changed_us = item->changed_us};
    BlobEntry *last = listing->n > 0 ? &listing->entries[listing->n - 1] : NULL;

    if (listing->area == BLOB_AREA_STAGES &&
        !s3_state_key_parse(item->key, &entry.name, &entry.size)) {
        return true;
    }
    if (!blob_name_is_good(entry.name) || compare(entry.name, listing->after) <= 0) {
        return true;
    }
    if (last && str_equal(last->name, entry.name)) {
        last->size = MAX(last->size, entry.size);
        last->changed_us = MAX(last->changed_us, entry.changed_us);
        return true;
    }
    if (listing->n == listing->max) {
        return false;
    }
    listing->entries[listing->n++] = entry;
    return true;
}

int s3_list(Blobs *blobs, BlobArea area, Str after, size_t max, Arena *arena,
            BlobEntry **ret_entries, size_t *ret_n) {
    const BlobsS3 *self = (BlobsS3 *)blobs;
    Listing listing = {.area = area, .after = after, .max = MIN(max, (size_t)S3_KEYS_MAX)};
    const char *prefix =
        s3_key(self, area == BLOB_AREA_BLOBS ? "blobs/" : "stages/", (Str){0}, arena);
    const char *from = arena_strdup(arena, after);
    bool more = true;
    int r = s3_check(self);

    listing.entries = arena_alloc(arena, (listing.max + 1) * sizeof(*listing.entries));
    while (r == 0 && more) {
        S3Item *items;
        size_t n, page = area == BLOB_AREA_BLOBS ? MAX(listing.max - listing.n, (size_t)1)
                                                 : (size_t)S3_KEYS_MAX;
        r = s3_list_page(self, prefix, from, page, arena, &items, &n, &more);
        for (size_t i = 0; r == 0 && i < n; i++) {
            more &= add(&listing, &items[i]);
            from = items[i].key;
        }
        more &= r == 0 && n > 0 && (area == BLOB_AREA_STAGES || listing.n < listing.max);
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_entries = listing.entries;
    *ret_n = listing.n;
    return 0;
}
