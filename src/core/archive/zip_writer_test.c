/* SPDX-License-Identifier: Apache-2.0 */

/* The archive's records where 16 and 32 bits end (APPNOTE.TXT 6.3.10, 4.3.9 to 4.5.3). */

#include "core/archive/zip_writer.h"

#include "base/error.h"
#include "base/test.h"

#include <archive.h>
#include <archive_entry.h>

#define PIECE ((size_t)1 << 20)
#define TAIL  ((size_t)256 << 10)
#define FULL  0xffffffffULL

/* What was written: how much, and the last of it. */
typedef struct Written {
    uint64_t len;
    Buf tail;
    bool all; /* is kept */
} Written;

static int keep(Str piece, void *userdata) {
    Written *written = userdata;

    written->len += piece.len;
    buf_add_str(&written->tail, piece);
    if (!written->all && written->tail.len > 2 * TAIL) {
        memmove(written->tail.data, written->tail.data + written->tail.len - TAIL, TAIL);
        written->tail.len = TAIL;
    }
    return 0;
}

static ZipWriter *new_writer(Written *written) {
    return zip_writer_new(&(ZipOptions){.sink = keep, .userdata = written, .distinct = true});
}

static uint64_t number(const char *at, unsigned bytes) {
    uint64_t value = 0;

    for (unsigned i = bytes; i > 0; i--) {
        value = value << 8 | (uint8_t)at[i - 1];
    }
    return value;
}

/* The record of that signature that is nearest to the end. */
static const char *find(const Written *written, const char *signature) {
    for (size_t at = written->tail.len - 3; at > 0; at--) {
        if (memcmp(written->tail.data + at - 1, signature, 4) == 0) {
            return written->tail.data + at - 1;
        }
    }
    return NULL;
}

/* A value of the ZIP64 field of a file's entry in the directory. */
static uint64_t wide(const char *entry, unsigned index) {
    const char *extra = entry + 46 + number(entry + 28, 2), *end = extra + number(entry + 30, 2);

    for (; extra + 4 <= end; extra += 4 + number(extra + 2, 2)) {
        if (number(extra, 2) == 1) {
            assert_true((size_t)8 * (index + 1) <= number(extra + 2, 2));
            return number(extra + 4 + (size_t)8 * index, 8);
        }
    }
    fail_msg("no ZIP64 field");
    return 0;
}

static void add(ZipWriter *writer, const char *name, uint64_t size) {
    static const char zeros[PIECE];

    assert_int_equal(zip_writer_begin(writer, &(ZipFile){name, 1777890600, size, true}), 0);
    for (uint64_t at = 0; at < size; at += PIECE) {
        assert_int_equal(
            zip_writer_add(writer, (Str){zeros, (size_t)MIN((uint64_t)PIECE, size - at)}), 0);
    }
}

static const char *end_of(ZipWriter *writer, Written *written, uint64_t n) {
    const char *end;

    assert_int_equal(zip_writer_end(writer), 0);
    zip_writer_free(writer);
    end = find(written, "PK\5\6");
    assert_non_null(end);
    assert_ptr_equal(end + 22, written->tail.data + written->tail.len);
    if (n > 0xffff || written->len > FULL) {
        const char *locator = find(written, "PK\6\7"), *record = find(written, "PK\6\6");
        assert_ptr_equal(locator + 20, end);
        assert_int_equal(number(locator + 8, 8), written->len - (uint64_t)(end + 22 - record));
        assert_int_equal(number(record + 32, 8), n);
        /* The directory lies where the record says, and is as long. */
        assert_int_equal(number(record + 48, 8) + number(record + 40, 8), number(locator + 8, 8));
    } else {
        assert_int_equal(number(end + 10, 2), n);
        assert_int_equal(number(end + 16, 4) + number(end + 12, 4) + 22, written->len);
    }
    return end;
}

static void sizes_beyond_32_bits(void **state) {
    Written written = {0};
    ZipWriter *writer = new_writer(&written);
    const char *entry;

    (void)state;
    add(writer, "a.mov", FULL + 1);
    add(writer, "b.jpg", 10); /* small, but lies behind it */
    end_of(writer, &written, 2);
    entry = find(&written, "PK\1\2");
    assert_int_equal(number(entry + 20, 4), 10);
    assert_int_equal(number(entry + 24, 4), 10);
    assert_int_equal(number(entry + 42, 4), FULL);
    assert_true(wide(entry, 0) > FULL + 1 && wide(entry, 0) < FULL + 1000);
    for (entry--; memcmp(entry, "PK\1\2", 4) != 0; entry--) {
    }
    assert_int_equal(number(entry + 6, 2), 45); /* who reads it must know ZIP64 */
    assert_int_equal(number(entry + 20, 4), FULL);
    assert_int_equal(number(entry + 24, 4), FULL);
    assert_int_equal(wide(entry, 0), FULL + 1);
    assert_int_equal(wide(entry, 1), FULL + 1);
    assert_int_equal(number(entry + 42, 4), 0);
    buf_done(&written.tail);
}

/* What any reader makes of it. */
static void read_back(const Written *written, const char *const *names, size_t n) {
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    size_t found = 0;

    assert_int_equal(archive_read_support_format_zip_seekable(archive), ARCHIVE_OK);
    assert_int_equal(archive_read_open_memory(archive, written->tail.data, written->tail.len),
                     ARCHIVE_OK);
    for (; archive_read_next_header(archive, &entry) == ARCHIVE_OK; found++) {
        if (names) {
            assert_string_equal(archive_entry_pathname(entry), names[found]);
        }
        assert_int_equal(archive_entry_size(entry), 1);
    }
    assert_int_equal(found, n);
    archive_read_free(archive);
}

static void numbers_beyond_16_bits(void **state) {
    static const unsigned counts[] = {0, 1, 0xfffe, 0xffff, 0x10000, 70000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        Written written = {.all = true};
        ZipWriter *writer = new_writer(&written);
        for (unsigned k = 0; k < counts[i]; k++) {
            add(writer, "image.jpg", 1); /* as many phones call all of them */
        }
        end_of(writer, &written, counts[i]);
        if (counts[i] > 0) { /* the reader takes an empty one for none */
            read_back(&written, NULL, counts[i]);
        }
        buf_done(&written.tail);
    }
}

static void each_name_once(void **state) {
    static const char *const given[] = {"a.jpg", "A.JPG", "a (2).jpg", "a.jpg",
                                        "b",     "b",     ".c",        ".c"};
    static const char *const names[] = {"a.jpg", "A (2).JPG", "a (2) (2).jpg", "a (3).jpg", "b",
                                        "b (2)", ".c",        ".c (2)"};
    Written written = {.all = true};
    ZipWriter *writer = new_writer(&written);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        add(writer, given[i], 1);
    }
    end_of(writer, &written, ARRAY_LEN(given));
    read_back(&written, names, ARRAY_LEN(names));
    buf_done(&written.tail);
}

static int refuse(Str piece, void *userdata) {
    (void)piece;
    (void)userdata;
    return -EPIPE;
}

/* The address sanitizer sees what is left behind. */
static void given_up_halfway(void **state) {
    Written written = {.all = true};
    ZipWriter *writer = new_writer(&written);
    uint64_t len;

    (void)state;
    add(writer, "whole", 1);
    assert_int_equal(zip_writer_begin(writer, &(ZipFile){"half", 1777890600, 2, true}), 0);
    len = written.len;
    zip_writer_free(writer);
    assert_int_equal(written.len, len);
    buf_done(&written.tail);

    writer = zip_writer_new(&(ZipOptions){.sink = refuse});
    assert_int_equal(zip_writer_begin(writer, &(ZipFile){"a", 1777890600, 1, true}), -EPIPE);
    zip_writer_free(writer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_beyond_32_bits),
        cmocka_unit_test(numbers_beyond_16_bits),
        cmocka_unit_test(each_name_once),
        cmocka_unit_test(given_up_halfway),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
