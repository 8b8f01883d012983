/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/safe_name.h"

#include <stdio.h>

#define NAME_LEN_MAX     (SAFE_NAME_SIZE - 1)
#define EXTENSION_MAX    16
#define FOLDER_LEN_MAX   1024
#define FOLDER_DEPTH_MAX 32 /* far from what a scan goes into */

bool safe_name_is_passed_over(const char *name) {
    static const Str endings[] = {{".part", 5}, {".partial", 8},  {".crdownload", 11},
                                  {".tmp", 4},  {".download", 9}, {"~", 1}};
    Str text = str_from(name);

    if (name[0] == '.') {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        if (text.len >= endings[i].len &&
            str_equal_nocase((Str){text.ptr + text.len - endings[i].len, endings[i].len},
                             endings[i])) {
            return true;
        }
    }
    return false;
}

/* Where ".jpg" begins; the end when there is no such thing. */
static size_t stem_len(Str name) {
    for (size_t i = name.len; i > 1 && name.len - i < EXTENSION_MAX; i--) {
        if (name.ptr[i - 1] == '.') {
            return i - 1;
        }
    }
    return name.len;
}

/* The longest beginning of at most `max` bytes that ends with a whole character. */
static size_t cut_at(Str text, size_t max) {
    size_t len = 0;

    while (len < text.len) {
        size_t n = MAX(str_utf8_sequence((Str){text.ptr + len, text.len - len}), (size_t)1);
        if (len + n > max) {
            break;
        }
        len += n;
    }
    return len;
}

static void add_clean(Str name, Buf *out) {
    for (size_t i = 0; i < name.len;) {
        size_t n = str_utf8_sequence((Str){name.ptr + i, name.len - i});
        unsigned char byte = (unsigned char)name.ptr[i];

        if (n == 0) {
            buf_add_str(out, str_lit("\xef\xbf\xbd"));
        } else if (byte < ' ' || byte == 0x7f ||
                   (n == 2 && byte == 0xc2 && (unsigned char)name.ptr[i + 1] < 0xa0)) {
            buf_add_str(out, str_lit("_"));
        } else {
            buf_add(out, name.ptr + i, n);
        }
        i += MAX(n, (size_t)1);
    }
}

void safe_name_sent(Str name, Buf *out) {
    add_clean(name, out);
}

void safe_name_local(const char *name, unsigned number, char ret_name[SAFE_NAME_SIZE]) {
    _cleanup_(buf_done) Buf clean = BUF_INIT;
    const char *slash = strrchr(name, '/'), *back;
    char suffix[16] = "";
    Str text, extension;
    size_t stem;

    name = slash ? slash + 1 : name;
    back = strrchr(name, '\\');
    name = back ? back + 1 : name;
    if (name[0] == '.' || name[0] == '\0') {
        buf_add_str(&clean, str_lit("_"));
    }
    add_clean(str_from(name), &clean);
    if (safe_name_is_passed_over(clean.data)) {
        buf_add_str(&clean, str_lit("_"));
    }
    text = buf_str(&clean);
    stem = stem_len(text);
    extension = (Str){text.ptr + stem, text.len - stem};
    if (number > 1) {
        snprintf(suffix, sizeof(suffix), " (%u)", number);
    }
    stem = cut_at((Str){text.ptr, stem}, NAME_LEN_MAX - extension.len - strlen(suffix));
    snprintf(ret_name, SAFE_NAME_SIZE, "%.*s%s%.*s", (int)stem, text.ptr, suffix,
             (int)extension.len, extension.ptr);
}

void safe_name_folder(const char *name, Buf *out) {
    Str rest = str_from(name), part;
    char local[SAFE_NAME_SIZE];
    size_t begin = out->len;
    unsigned depth = 0;

    while (str_next_token(&rest, "/", &part)) {
        _cleanup_(buf_done) Buf text = BUF_INIT;
        if (part.len == 0) {
            continue;
        }
        buf_add_str(&text, part);
        safe_name_local(buf_cstr(&text), 1, local);
        buf_addf(out, "%s%s", out->len > begin ? "/" : "", local);
        if (++depth > FOLDER_DEPTH_MAX || out->len - begin > FOLDER_LEN_MAX) {
            out->len = begin;
            out->data[begin] = '\0';
            return;
        }
    }
}
