/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/tus_headers.h"

#include "base/error.h"
#include "base/http/form.h"
#include "services/sync/upload/upload_name.h"

#define PAIR_MAX       200
#define CONCAT_LEN_MAX ((size_t)16000)

int tus_number(HttpRequest *request, const char *header, uint64_t *ret_number,
               const char **reterr_detail) {
    const char *text = http_request_header(request, header);

    if (!text) {
        return TUS_E_ABSENT;
    }
    if (str_to_u64(str_from(text), ret_number) < 0 || *ret_number > INT64_MAX) {
        *reterr_detail = arena_printf(http_request_arena(request),
                                      "%s: a whole number of bytes, without a sign.", header);
        return TUS_E_MALFORMED;
    }
    return 0;
}

/* base_64 of RFC 4648 section 4, and nothing else beside it. */
static bool decode(Str text, Arena *arena, Str *ret_bytes) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || !strchr(alphabet, text.ptr[i])) {
            return false;
        }
    }
    return base64_decode(text, arena, ret_bytes) == 0;
}

static bool is_plain(Str text) {
    for (size_t i = 0; i < text.len; i++) {
        if ((uint8_t)text.ptr[i] < 0x20) {
            return false;
        }
    }
    return str_is_utf8(text);
}

static bool is_key(Str key) {
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] <= 0x20 || key.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return key.len > 0;
}

static const char *take_pair(Str key, Str value, Arena *arena, UploadAbout *about) {
    if (str_equal(key, str_lit("filename"))) {
        about->name = upload_name_clean(value, arena);
    } else if (str_equal(key, str_lit("pair"))) {
        if (value.len == 0 || value.len > PAIR_MAX || !is_plain(value)) {
            return "Upload-Metadata: pair is text of 1 to 200 bytes.";
        }
        about->pair = arena_strdup(arena, value);
    } else if (str_equal(key, str_lit("deleted"))) {
        about->skip_deleted = str_equal(value, str_lit("skip"));
        if (!about->skip_deleted && !str_equal(value, str_lit("restore"))) {
            return "Upload-Metadata: deleted is skip or restore.";
        }
    }
    return NULL;
}

static const char *read_metadata(Str rest, Arena *arena, UploadAbout *about) {
    Str keys[TUS_KEYS_MAX], pair;
    size_t n = 0;

    while (str_next_token(&rest, ",", &pair)) {
        Str key, value = {0}, bytes;
        pair = str_trim(pair);
        if (!str_next_token(&pair, " ", &key) || !is_key(key)) {
            return "Upload-Metadata: pairs of a key and base64, with commas between them.";
        }
        value = str_trim(pair);
        if (n == TUS_KEYS_MAX) {
            return "Upload-Metadata: at most 20 keys.";
        }
        for (size_t i = 0; i < n; i++) {
            if (str_equal(keys[i], key)) {
                return "Upload-Metadata: a key may stand there only once.";
            }
        }
        keys[n++] = key;
        if (!decode(value, arena, &bytes)) {
            return "Upload-Metadata: what follows a key is base64.";
        }
        const char *detail = take_pair(key, bytes, arena, about);
        if (detail) {
            return detail;
        }
    }
    return NULL;
}

int tus_metadata(HttpRequest *request, UploadAbout *ret_about, const char **reterr_detail) {
    const char *header = http_request_header(request, "Upload-Metadata");
    UploadAbout about = {.name = "photo"};
    const char *detail = NULL;

    if (header && strlen(header) > TUS_METADATA_MAX) {
        detail = "Upload-Metadata: at most 4096 bytes.";
    } else if (header && *str_trim(str_from(header)).ptr) {
        about.metadata = header;
        detail = read_metadata(str_from(header), http_request_arena(request), &about);
    }
    if (detail) {
        *reterr_detail = detail;
        return TUS_E_MALFORMED;
    }
    *ret_about = about;
    return 0;
}

/* A path or address whose last part is the id. */
static bool read_part(Str url, const char *base, Uuid *ret_id) {
    Str path = str_from(base);
    const char *at = url.len > 0 ? memmem(url.ptr, url.len, path.ptr, path.len) : NULL;
    size_t skip;

    if (!at) {
        return false;
    }
    skip = (size_t)(at - url.ptr) + path.len;
    return url.len > skip && url.ptr[skip] == '/' &&
           uuid_parse((Str){url.ptr + skip + 1, url.len - skip - 1}, ret_id) == 0;
}

int tus_concat(HttpRequest *request, const char *base, TusConcat *ret_concat,
               const char **reterr_detail) {
    static const Str final = {"final;", 6};
    const char *header = http_request_header(request, "Upload-Concat");
    Str text = str_trim(str_from(header)), url;
    TusConcat concat = {.kind = UPLOAD_FILE, .header = header};

    if (!header || str_equal(text, str_lit("partial"))) {
        concat.kind = header ? UPLOAD_PART : UPLOAD_FILE;
        *ret_concat = concat;
        return 0;
    }
    *reterr_detail = "Upload-Concat: partial, or final; and the addresses of the parts.";
    if (!str_starts_with(text, final) || text.len > CONCAT_LEN_MAX || !is_plain(text)) {
        return TUS_E_MALFORMED;
    }
    concat.kind = UPLOAD_WHOLE;
    concat.parts = arena_alloc(http_request_arena(request), TUS_PARTS_MAX * sizeof(Uuid));
    text = str_trim((Str){text.ptr + final.len, text.len - final.len});
    while (str_next_token(&text, " ", &url)) {
        if (url.len == 0) {
            continue;
        }
        if (concat.n_parts == TUS_PARTS_MAX ||
            !read_part(url, base, &concat.parts[concat.n_parts++])) {
            return TUS_E_MALFORMED;
        }
    }
    if (concat.n_parts == 0) {
        return TUS_E_MALFORMED;
    }
    *ret_concat = concat;
    return 0;
}

int tus_checksum(HttpRequest *request, Checksum **ret_checksum, Str *ret_expected,
                 const char **reterr_detail) {
    Str rest = str_trim(str_from(http_request_header(request, "Upload-Checksum")));
    _cleanup_(checksum_freep) Checksum *checksum = NULL;
    Str name, expected;

    if (rest.len == 0) {
        return TUS_E_ABSENT;
    }
    if (!str_next_token(&rest, " ", &name) || !(checksum = checksum_new(name)) ||
        !decode(str_trim(rest), http_request_arena(request), &expected) ||
        expected.len != checksum_len(checksum)) {
        *reterr_detail = "Upload-Checksum: one of " CHECKSUM_NAMES ", a blank, and it in base64.";
        return TUS_E_MALFORMED;
    }
    *ret_checksum = TAKE_PTR(checksum);
    *ret_expected = expected;
    return 0;
}

bool tus_is_octets(HttpRequest *request) {
    Str rest = str_from(http_request_header(request, "Content-Type")), type;

    return str_next_token(&rest, ";", &type) &&
           str_equal_nocase(str_trim(type), str_lit("application/offset+octet-stream"));
}
