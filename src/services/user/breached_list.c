/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/breached_list.h"

#include "base/crypto/digest.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_LEN     DIGEST_SHA1_LEN
#define HASH_HEX_LEN (2 * (size_t)HASH_LEN)
/* A hash, a colon, a count of 64 bits, and the end of a line in either way. */
#define LINE_LEN_MAX  (HASH_HEX_LEN + 1 + 20 + 2)
#define CHECKED_LINES 4096

struct BreachedList {
    int fd;
    uint64_t size;
};

typedef struct Line {
    uint8_t hash[HASH_LEN];
    uint64_t start, next; /* offsets of this line and of the one after it */
} Line;

enum {
    BREACHED_LIST_E_END = 1, /* there is no line that begins there or later */
};

static size_t digits(Str text) {
    size_t n = 0;

    while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9') {
        n++;
    }
    return n;
}

/* The line at the beginning of `text`, which ends the file when there is no more of it. */
static int parse(Str text, uint64_t offset, Line *ret_line) {
    size_t at = HASH_HEX_LEN + 1, n;

    if (text.len < at || text.ptr[HASH_HEX_LEN] != ':' ||
        hex_decode((Str){text.ptr, HASH_HEX_LEN}, ret_line->hash, HASH_LEN) < 0) {
        return -EBADMSG;
    }
    n = digits((Str){text.ptr + at, text.len - at});
    at += n;
    if (at < text.len && text.ptr[at] == '\r') {
        at++;
    }
    if (n == 0 || n > 20 || (at < text.len && text.ptr[at] != '\n')) {
        return -EBADMSG;
    }
    ret_line->start = offset;
    ret_line->next = offset + MIN(at + 1, text.len);
    return 0;
}

/* The first line that begins at `offset` or after it. */
static int line_from(const BreachedList *list, uint64_t offset, Line *ret_line) {
    char text[2 * LINE_LEN_MAX + 1];
    /* From the byte before, as a line begins there only when that one ends another. */
    uint64_t start = offset > 0 ? offset - 1 : 0;
    size_t len = (size_t)MIN((uint64_t)sizeof(text), list->size - start), at = 0;
    const char *end;
    int r;

    if (offset >= list->size) {
        return BREACHED_LIST_E_END;
    }
    r = fd_pread_all(list->fd, text, len, start);
    if (r < 0) {
        return err_trace(r);
    }
    if (offset > 0) {
        end = memchr(text, '\n', len);
        if (!end) {
            return start + len == list->size && len <= LINE_LEN_MAX ? BREACHED_LIST_E_END
                                                                    : -EBADMSG;
        }
        at = (size_t)(end - text) + 1;
        if (start + at == list->size) {
            return BREACHED_LIST_E_END;
        }
    }
    return parse((Str){text + at, len - at}, start + at, ret_line);
}

static int check(const BreachedList *list, Arena *arena, const char **reterr) {
    Line before = {.next = 0}, line;
    bool first = true;
    int r = 0;

    for (unsigned i = 0; i <= CHECKED_LINES && r == 0; i++) {
        uint64_t offset =
            i == CHECKED_LINES && list->size > LINE_LEN_MAX
                ? list->size - LINE_LEN_MAX
                : list->size / CHECKED_LINES * i + list->size % CHECKED_LINES * i / CHECKED_LINES;
        r = line_from(list, offset, &line);
        if (r == -EBADMSG) {
            *reterr = arena_printf(arena,
                                   "near byte %llu it has no line of a SHA-1 hash in hexadecimal, "
                                   "a colon and a count",
                                   (unsigned long long)offset);
            return -EINVAL;
        }
        if (r == BREACHED_LIST_E_END) {
            break;
        }
        if (r < 0) {
            return err_trace(r);
        }
        if (!first && line.start != before.start && memcmp(line.hash, before.hash, HASH_LEN) <= 0) {
            *reterr = arena_printf(arena, "at byte %llu it is not sorted by hash",
                                   (unsigned long long)line.start);
            return -EINVAL;
        }
        before = line;
        first = false;
    }
    return 0;
}

int breached_list_open(const char *path, Arena *arena, BreachedList **ret_list,
                       const char **reterr) {
    _cleanup_(breached_list_freep) BreachedList *list = calloc(1, sizeof(*list));
    const char *why = NULL;
    struct stat status;
    int r;

    if (!list) {
        return err_trace(-ENOMEM);
    }
    list->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (list->fd < 0 || fstat(list->fd, &status) < 0) {
        *reterr =
            arena_printf(arena, "--breached-passwords: cannot read %s: %s", path, strerror(errno));
        return -EINVAL;
    }
    if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        *reterr = arena_printf(arena, "--breached-passwords: %s is %s", path,
                               S_ISREG(status.st_mode) ? "empty" : "no file");
        return -EINVAL;
    }
    list->size = (uint64_t)status.st_size;
    r = check(list, arena, &why);
    if (r < 0) {
        *reterr = why ? arena_printf(arena, "--breached-passwords: %s: %s", path, why)
                      : arena_printf(arena, "--breached-passwords: cannot read %s: %s", path,
                                     strerror(-r));
        return -EINVAL;
    }
    *ret_list = TAKE_PTR(list);
    return 0;
}

BreachedList *breached_list_free(BreachedList *list) {
    if (list) {
        fd_close(list->fd);
        free(list);
    }
    return NULL;
}

int breached_list_has(const BreachedList *list, Str password, bool *ret_found) {
    uint64_t low = 0, high = list->size; /* it begins at low or later, and before high */
    uint8_t wanted[HASH_LEN];

    digest_sha1(password, wanted);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        Line line;
        int order, r = line_from(list, middle, &line);

        if (r < 0) {
            return err_trace(r);
        }
        order = r == BREACHED_LIST_E_END ? -1 : memcmp(wanted, line.hash, HASH_LEN);
        if (order == 0) {
            *ret_found = true;
            return 0;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = line.next;
        }
    }
    *ret_found = false;
    return 0;
}
