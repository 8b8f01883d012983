/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Films for tests, without a picture in them: boxes that are written one into another. */

#include "base/str.h"
#include "base/test.h"

static inline void test_number(Buf *buf, uint64_t value, unsigned bytes) {
    for (unsigned i = bytes; i > 0; i--) {
        buf_add(buf, &(uint8_t){i > 8 ? 0 : (uint8_t)(value >> 8 * (i - 1))}, 1);
    }
}

/* Where it begins, for test_end_box(). */
static inline size_t test_begin_box(Buf *buf, const char *type) {
    size_t at = buf->len;

    test_number(buf, 0, 4);
    buf_add(buf, type, 4);
    return at;
}

static inline void test_end_box(Buf *buf, size_t at) {
    for (unsigned i = 0; i < 4; i++) {
        buf->data[at + i] = (char)((buf->len - at) >> (24 - 8 * i));
    }
}

/* Seconds since 1904; thousandths of a second. */
static inline void test_film_head(Buf *buf, bool wide, uint64_t created, uint64_t duration) {
    size_t at = test_begin_box(buf, "mvhd");
    unsigned n = wide ? 8 : 4;

    test_number(buf, wide ? 1ULL << 24 : 0, 4);
    test_number(buf, created, n);
    test_number(buf, created, n);
    test_number(buf, 1000, 4);
    test_number(buf, duration, n);
    test_end_box(buf, at);
}

/* A track that is turned by a right angle, or not at all. */
static inline void test_film_track(Buf *buf, const char *kind, uint32_t width, uint32_t height,
                                   bool turned) {
    const uint32_t one = 0x10000;
    const uint32_t upright[9] = {one, 0, 0, 0, one, 0, 0, 0, 0x40000000};
    const uint32_t quarter[9] = {0, one, 0, 0xffff0000, 0, 0, height * one, 0, 0x40000000};
    size_t track = test_begin_box(buf, "trak"), at = test_begin_box(buf, "tkhd");

    for (unsigned i = 0; i < 10; i++) {
        test_number(buf, 0, 4);
    }
    for (unsigned i = 0; i < 9; i++) {
        test_number(buf, turned ? quarter[i] : upright[i], 4);
    }
    test_number(buf, (uint64_t)width << 16, 4);
    test_number(buf, (uint64_t)height << 16, 4);
    test_end_box(buf, at);
    at = test_begin_box(buf, "mdia");
    size_t hdlr = test_begin_box(buf, "hdlr");
    test_number(buf, 0, 8);
    buf_add(buf, kind, 4);
    test_number(buf, 0, 12);
    test_end_box(buf, hdlr);
    test_end_box(buf, at);
    test_end_box(buf, track);
}

/* Names and values one after another, to a NULL. */
static inline void test_film_meta(Buf *buf, bool iso, const char *const *texts) {
    size_t meta = test_begin_box(buf, "meta"), at;

    if (iso) {
        test_number(buf, 0, 4);
    }
    at = test_begin_box(buf, "hdlr");
    test_number(buf, 0, 8);
    buf_add(buf, "mdta", 4);
    test_number(buf, 0, 12);
    test_end_box(buf, at);
    at = test_begin_box(buf, "keys");
    test_number(buf, 0, 8);
    for (size_t i = 0; texts[i]; i += 2) {
        size_t key = test_begin_box(buf, "mdta");
        buf_add(buf, texts[i], strlen(texts[i]));
        test_end_box(buf, key);
    }
    test_end_box(buf, at);
    at = test_begin_box(buf, "ilst");
    for (size_t i = 0; texts[i]; i += 2) {
        char number[4] = {0, 0, 0, (char)(i / 2 + 1)};
        size_t item = test_begin_box(buf, number), data = test_begin_box(buf, "data");
        test_number(buf, 1, 4);
        test_number(buf, 0, 4);
        buf_add(buf, texts[i + 1], strlen(texts[i + 1]));
        test_end_box(buf, data);
        test_end_box(buf, item);
    }
    test_end_box(buf, at);
    test_end_box(buf, meta);
}

#define TEST_FILM_ID "0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9"
static const char *const test_phone_texts[] = {"com.apple.quicktime.content.identifier",
                                               TEST_FILM_ID,
                                               "com.apple.quicktime.creationdate",
                                               "2026-05-17T14:03:09+0200",
                                               "com.apple.quicktime.location.ISO6709",
                                               "-33.8567+151.2083-012.500/",
                                               "com.apple.quicktime.make",
                                               "Apple",
                                               "com.apple.quicktime.model",
                                               "iPhone 15 Pro",
                                               NULL};

/* As a phone writes them: the description last. 17 May 2026, 12:03:09 UTC in the head. */
static inline Buf test_film(void) {
    Buf film = BUF_INIT;
    size_t at = test_begin_box(&film, "ftyp");

    buf_add(&film, "qt  \0\0\0\0qt  ", 12);
    test_end_box(&film, at);
    at = test_begin_box(&film, "mdat");
    test_number(&film, 0x1234, 8);
    test_end_box(&film, at);
    at = test_begin_box(&film, "moov");
    test_film_head(&film, false, 2082844800ULL + 1779019389, 2345);
    test_film_track(&film, "soun", 0, 0, false);
    test_film_track(&film, "vide", 1920, 1440, true);
    test_film_meta(&film, false, test_phone_texts);
    test_end_box(&film, at);
    return film;
}
