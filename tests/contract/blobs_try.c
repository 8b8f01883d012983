/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Does with a store what it is told, a line of standard input each, for test_blobs.py, which may
 * end it at any moment: blobs_try URL Prints a line for each: "0", a condition's number, "fault
 * ERRNO", or what was asked for. Bytes are a pattern of their offset and SEED.
 */

#include "base/error.h"
#include "contract/blobs_engine.h"
#include "core/blobs/sealed_blob.h"

#include <inttypes.h>
#include <stdio.h>

#define LEN_MAX ((size_t)64 << 20)

static struct {
    Blobs *blobs;
    BlobStage *stage;
    uint64_t offset;
} work;

static Str pattern(Arena *arena, uint64_t offset, size_t len, unsigned seed) {
    char *bytes = arena_alloc(arena, len + 1);

    for (size_t i = 0; i < len; i++) {
        uint64_t at = offset + i;
        bytes[i] = (char)((at * 2654435761u + at / 251 + seed) >> 3);
    }
    return (Str){bytes, len};
}

static int verify(Str name, size_t len, unsigned seed, Arena *arena) {
    char *bytes = arena_alloc(arena, len + 1);
    uint64_t size;
    int r = blobs_size(work.blobs, name, &size);

    if (r == 0 && len > 0) {
        r = blobs_read(work.blobs, name, 0, bytes, len);
    }
    if (r == 0 && (size != len || memcmp(bytes, pattern(arena, 0, len, seed).ptr, len) != 0)) {
        return err_trace(-EBADMSG);
    }
    return r;
}

static int list(const char *area, Arena *arena) {
    bool stages = strcmp(area, "stages") == 0;
    BlobEntry *entries;
    size_t n;
    int r = blobs_list(work.blobs, stages ? BLOB_AREA_STAGES : BLOB_AREA_BLOBS, (Str){0}, 1000,
                       arena, &entries, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        printf("%.*s:%" PRIu64 " ", (int)entries[i].name.len, entries[i].name.ptr, entries[i].size);
    }
    return r;
}

static int of_stage(const char *verb, size_t len, unsigned seed, Arena *arena) {
    int r;

    if (!work.stage) {
        return -EBADF;
    }
    if (strcmp(verb, "write") == 0) {
        r = blob_stage_write(work.stage, pattern(arena, work.offset, len, seed));
        work.offset += len;
        return r;
    }
    if (strcmp(verb, "sync") == 0) {
        return blob_stage_sync(work.stage);
    }
    r = strcmp(verb, "commit") == 0 ? blob_stage_commit(work.stage) : 0;
    work.stage = blob_stage_free(work.stage);
    return r;
}

static int act(const char *verb, const char *word, uint64_t number, unsigned seed, Arena *arena) {
    static const uint8_t key[AEAD_KEY_LEN] = {1};
    Str name = str_from(word);

    if (number > LEN_MAX) {
        return -EINVAL;
    }
    if (strcmp(verb, "put") == 0) {
        return blobs_put(work.blobs, name, pattern(arena, 0, (size_t)number, seed));
    }
    if (strcmp(verb, "seal") == 0) {
        char *plain = arena_alloc(arena, (size_t)number + 1);
        memset(plain, 'A', (size_t)number);
        return sealed_blob_put(work.blobs, name, key, (Str){plain, (size_t)number});
    }
    if (strcmp(verb, "verify") == 0) {
        return verify(name, (size_t)number, seed, arena);
    }
    if (strcmp(verb, "remove") == 0) {
        return blobs_remove(work.blobs, name);
    }
    if (strcmp(verb, "remove-stage") == 0) {
        return blobs_stage_remove(work.blobs, name);
    }
    if (strcmp(verb, "list") == 0) {
        return list(word, arena);
    }
    if (strcmp(verb, "open") == 0) {
        work.stage = blob_stage_free(work.stage);
        work.offset = number;
        return blobs_stage_open(work.blobs, name, number, &work.stage);
    }
    return of_stage(verb, (size_t)number, seed, arena);
}

static void tell(int r) {
    printf("%s%d\n", r < 0 ? "fault " : "", abs(r));
    (void)fflush(stdout);
}

/* VERB [WORD [NUMBER [SEED]]] */
static int obey(Str line) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *words[4] = {"", "-", "0", "0"};
    uint64_t number, seed;
    Str word;

    for (size_t n = 0; n < ARRAY_LEN(words) && str_next_token(&line, " \n", &word);) {
        if (word.len > 0) {
            words[n++] = arena_strdup(arena, word);
        }
    }
    if (str_to_u64(str_from(words[2]), &number) < 0 || str_to_u64(str_from(words[3]), &seed) < 0) {
        return -EINVAL;
    }
    return act(words[0], words[1], number, (unsigned)seed, arena);
}

int main(int argc, char **argv) {
    char line[512];
    int r = argc == 2 ? blobs_engine_open(argv[1], &work.blobs) : -EINVAL;

    tell(r);
    while (r == 0 && fgets(line, sizeof(line), stdin)) {
        tell(obey(str_from(line)));
    }
    work.stage = blob_stage_free(work.stage);
    work.blobs = blobs_free(work.blobs);
    return 0;
}
