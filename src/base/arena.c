/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* Most requests fit in one chunk; a larger allocation gets a chunk of its own. */
#define CHUNK_SIZE ((size_t)8192)

typedef struct Chunk {
    struct Chunk *next;
    size_t used;
    size_t size;
    _Alignas(max_align_t) char bytes[];
} Chunk;

struct Arena {
    Chunk *chunks;
};

Arena *arena_new(void) {
    Arena *arena = calloc(1, sizeof(*arena));
    if (!arena) {
        abort();
    }
    return arena;
}

Arena *arena_free(Arena *arena) {
    if (arena) {
        for (Chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
            next = chunk->next;
            free(chunk);
        }
        free(arena);
    }
    return NULL;
}

void *arena_alloc(Arena *arena, size_t size) {
    const size_t align = _Alignof(max_align_t);
    Chunk *chunk = arena->chunks;
    void *memory;

    if (size > SIZE_MAX / 2) {
        abort();
    }
    size = (size + align - 1) / align * align;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t capacity = MAX(size, CHUNK_SIZE);
        chunk = malloc(sizeof(*chunk) + capacity);
        if (!chunk) {
            abort();
        }
        chunk->size = capacity;
        chunk->used = 0;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    memory = chunk->bytes + chunk->used;
    chunk->used += size;
    /* Here and not the whole chunk, of which most requests use little. */
    return memset(memory, 0, size);
}

char *arena_strdup(Arena *arena, Str s) {
    char *copy = arena_alloc(arena, s.len + 1);
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    return copy;
}

char *arena_printf(Arena *arena, const char *format, ...) {
    va_list args, again;
    char *text;
    int len;

    assert(format);
    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0);
    text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}
