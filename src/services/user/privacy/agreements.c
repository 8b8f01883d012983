/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/agreements.h"

#include "base/error.h"
#include "base/fd.h"
#include "services/user/text.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#define FILE_LEN_MAX  ((size_t)1 << 20)
#define TITLE_LEN_MAX 100
#define URL_LEN_MAX   1000

Agreements *agreements_free(Agreements *agreements) {
    if (agreements) {
        arena_free(agreements->arena);
        free(agreements);
    }
    return NULL;
}

const Agreement *agreements_find(const Agreements *agreements, const char *id) {
    for (size_t i = 0; i < agreements->n; i++) {
        if (strcmp(agreements->agreements[i].id, id) == 0) {
            return &agreements->agreements[i];
        }
    }
    return NULL;
}

bool agreements_require(const Agreements *agreements) {
    for (size_t i = 0; i < agreements->n; i++) {
        if (agreements->agreements[i].required) {
            return true;
        }
    }
    return false;
}

static bool is_word(const char *text, const char *chars, size_t max) {
    return text[0] && strlen(text) <= max && text[strspn(text, chars)] == '\0';
}

/* What can stand in a link: of a web site, or a path that no browser reads as one. */
static bool is_link(const char *url) {
    Str text = str_from(url);
    bool path = url[0] == '/' && url[1] != '/' && url[1] != '\\';

    for (size_t i = 0; i < text.len; i++) {
        if (url[i] <= ' ' || url[i] > '~' || strchr("\"'<>\\^`{|}", url[i])) {
            return false;
        }
    }
    return text.len <= URL_LEN_MAX &&
           (path || (str_starts_with(text, str_lit("https://")) && text.len > strlen("https://")));
}

/* The member at fault, or NULL. */
static const char *read_agreement(const json_t *json, Arena *arena, Agreement *ret_agreement) {
    static const char id_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    static const char version_chars[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const char *id, *version, *title, *url;
    json_error_t error;
    int required = 0;

    if (json_unpack_ex((json_t *)json, &error, JSON_STRICT, "{s:s,s:s,s:s,s:s,s?b}", "id", &id,
                       "version", &version, "title", &title, "url", &url, "required",
                       &required) < 0) {
        return arena_strdup(arena, str_from(error.text));
    }
    if (!is_word(id, id_chars, AGREEMENT_ID_LEN_MAX)) {
        return "id";
    }
    if (!is_word(version, version_chars, AGREEMENT_VERSION_LEN_MAX)) {
        return "version";
    }
    if (!title[0] || !text_is_plain(title, TITLE_LEN_MAX)) {
        return "title";
    }
    if (!is_link(url)) {
        return "url";
    }
    *ret_agreement = (Agreement){
        arena_strdup(arena, str_from(id)), arena_strdup(arena, str_from(version)),
        arena_strdup(arena, str_from(title)), arena_strdup(arena, str_from(url)), required};
    return NULL;
}

static int read_all(const json_t *array, Agreements *agreements, Arena *arena,
                    const char **reterr) {
    for (size_t i = 0; i < json_array_size(array); i++) {
        Agreement agreement = {0};
        const char *where = read_agreement(json_array_get(array, i), agreements->arena, &agreement);
        if (where) {
            *reterr = arena_printf(arena, "agreement %zu: %s: not as it has to be", i + 1, where);
            return -EINVAL;
        }
        if (agreements_find(agreements, agreement.id)) {
            *reterr =
                arena_printf(arena, "agreement %zu: the id %s is there twice", i + 1, agreement.id);
            return -EINVAL;
        }
        agreements->agreements[agreements->n++] = agreement;
    }
    return 0;
}

static int read_json(const json_t *json, Agreements *agreements, Arena *arena,
                     const char **reterr) {
    const json_t *array = json_object_get(json, "agreements");

    if (!json_is_array(array) || json_array_size(array) > AGREEMENTS_MAX ||
        json_object_size(json) > 1) {
        *reterr = arena_printf(arena, "no JSON object with a list \"agreements\" of at most %d",
                               AGREEMENTS_MAX);
        return -EINVAL;
    }
    return read_all(array, agreements, arena, reterr);
}

static int read_file(const char *path, Buf *out) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? err_errno() : fd_read_to_end(fd, FILE_LEN_MAX, out);
}

int agreements_read(const char *path, Arena *arena, Agreements **ret_agreements,
                    const char **reterr) {
    _cleanup_(agreements_freep) Agreements *agreements = calloc(1, sizeof(*agreements));
    _cleanup_(json_decrefp) json_t *json = NULL;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    json_error_t error = {0};
    int r = 0;

    if (!agreements) {
        abort();
    }
    agreements->arena = arena_new();
    if (path[0] == '\0') {
        *ret_agreements = TAKE_PTR(agreements);
        return 0;
    }
    r = read_file(path, &text);
    if (r < 0) {
        *reterr = arena_printf(arena, "--agreements: cannot read %s: %s", path, strerror(-r));
        return -EINVAL;
    }
    json = json_loadb(buf_cstr(&text), text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json) {
        *reterr = arena_printf(arena, "--agreements: %s: no JSON: %s", path, error.text);
        return -EINVAL;
    }
    r = read_json(json, agreements, arena, reterr);
    if (r < 0) {
        *reterr = arena_printf(arena, "--agreements: %s: %s", path, *reterr);
        return r;
    }
    *ret_agreements = TAKE_PTR(agreements);
    return 0;
}
