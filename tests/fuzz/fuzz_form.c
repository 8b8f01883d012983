/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what reads request bodies and their fields. The first line of an input is the
 * Content-Type, the rest the body; each field is then read as everything a field may be. Beyond the
 * sanitizers it checks what callers rely on: a value lies within the body or is a copy, a number is
 * in its bounds. A form is read once more as it comes in pieces: what its parts are does not depend
 * on where they meet.
 */
#include "base/http/form.h"
#include "base/http/multipart_stream.h"
#include "base/http/netguard.h"
#include "core/model/colour.h"
#include "core/model/measure.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(Str s) {
    volatile char sink = 0;
    for (size_t i = 0; i < s.len; i++) {
        sink ^= s.ptr[i];
    }
    (void)sink;
}

static void read_measures(Str text) {
    Rect rect;
    Roi roi;
    Margin margin;
    Position position;
    Length length;
    double scale;

    if (length_parse(text, &length) == 0) {
        assert(length.value >= 0);
    }
    if (roi_parse(text, &roi) == 0 && roi_resolve(&roi, 640, 480, &rect) == 0) {
        assert(rect.width > 0 && rect.left + rect.width <= 640);
        assert(rect.height > 0 && rect.top + rect.height <= 480);
    }
    if (margin_parse(text, &margin) == 0) {
        assert(margin.left.value >= 0 && margin.left.value <= 500);
    }
    if (scale_parse(text, &scale) == 0) {
        assert(scale == 0 || (scale >= 0.1 && scale <= 1));
    }
    if (position_parse(text, &position) == 0) {
        assert(position.x >= 0 && position.x <= 1 && position.y >= 0 && position.y <= 1);
    }
}

static void read_field(const FormField *field, Arena *arena) {
    Netguard guard = {0};
    Colour colour;
    Str bytes, at = {0};

    touch(str_from(field->name));
    touch(str_from(field->filename));
    touch(field->value);
    colour_parse(field->value, &colour);
    read_measures(field->value);
    if (base64_decode(field->value, arena, &bytes) == 0) {
        assert(bytes.len <= field->value.len);
        touch(bytes);
    }
    if (netguard_allow(&guard, field->value, &at) < 0) {
        touch(at);
    }
}

typedef struct Seen {
    size_t begun, ended, len;
} Seen;

static int count_begin(void *userdata, const MultipartPart *part) {
    touch(part->name);
    touch(part->filename);
    ((Seen *)userdata)->begun++;
    return 0;
}

static int count_bytes(void *userdata, Str bytes) {
    assert(bytes.len > 0);
    touch(bytes);
    ((Seen *)userdata)->len += bytes.len;
    return 0;
}

static int count_end(void *userdata) {
    ((Seen *)userdata)->ended++;
    return 0;
}

static void read_pieces(const char *type, Str body, size_t each, Seen *ret_seen, int *ret_r) {
    MultipartSink sink = {count_begin, count_bytes, count_end, ret_seen};
    _cleanup_(multipart_stream_freep) MultipartStream *stream = multipart_stream_new(type, &sink);

    *ret_r = 0;
    while (stream && *ret_r == 0 && body.len > 0) {
        size_t n = MIN(each, body.len);
        *ret_r = multipart_stream_add(stream, (Str){body.ptr, n});
        body = (Str){body.ptr + n, body.len - n};
    }
    assert(*ret_r == 0 || *ret_r == MULTIPART_E_MALFORMED);
    assert(ret_seen->ended <= ret_seen->begun && ret_seen->begun <= ret_seen->ended + 1);
}

static void read_streamed(const char *type, Str body) {
    Seen whole = {0}, bytes = {0};
    int r_whole, r_bytes;

    read_pieces(type, body, SIZE_MAX, &whole, &r_whole);
    read_pieces(type, body, 1, &bytes, &r_bytes);
    assert(r_whole == r_bytes && whole.begun == bytes.begun && whole.ended == bytes.ended);
    assert(whole.len == bytes.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str body = {(const char *)data, size}, type;
    const char *detail = NULL, *header;
    Form form;
    int r;

    if (!str_next_token(&body, "\n", &type) || !body.ptr) {
        return 0;
    }
    /* A header's value is a C string without line ends. */
    header = arena_strdup(arena, type);
    read_streamed(header, body);
    r = form_parse(header, body, arena, &form, &detail);
    if (r != 0) {
        assert(r > 0 && detail);
        return 0;
    }
    assert(form.n_fields <= FORM_FIELDS_MAX);
    for (size_t i = 0; i < form.n_fields; i++) {
        assert(form_find(&form, form.fields[i].name));
        read_field(&form.fields[i], arena);
    }
    return 0;
}
