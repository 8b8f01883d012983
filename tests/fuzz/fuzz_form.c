/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what reads request bodies and their fields. The first line of an input is the
 * Content-Type, the rest the body; each field is then read as everything a field may be. Beyond the
 * sanitizers it checks what callers rely on: a value lies within the body or is a copy, a number is
 * in its bounds.
 */
#include "base/http/form.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str body = {(const char *)data, size}, type;
    const char *detail = NULL;
    Form form;
    int r;

    if (!str_next_token(&body, "\n", &type) || !body.ptr) {
        return 0;
    }
    /* A header's value is a C string without line ends. */
    r = form_parse(arena_strdup(arena, type), body, arena, &form, &detail);
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
