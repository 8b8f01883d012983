/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/zip_writer.h"

#include "base/arena.h"
#include "base/error.h"
#include "services/sync/photo/photo_state.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

struct ZipWriter {
    ZipSink *sink;
    void *userdata;
    struct archive *archive;
    locale_t utf8; /* the library writes names in the locale's encoding */
    json_t *names; /* that are used, folded to lower case: true, or the number to try next */
};

static la_ssize_t take(struct archive *library, void *userdata, const void *bytes, size_t len) {
    ZipWriter *writer = userdata;

    (void)library;
    writer->sink(writer->userdata, bytes, len);
    return (la_ssize_t)len;
}

ZipWriter *zip_writer_new(ZipSink *sink, void *userdata) {
    ZipWriter *writer = calloc(1, sizeof(*writer));
    struct archive *archive = archive_write_new();

    if (!writer || !archive) {
        abort();
    }
    *writer = (ZipWriter){.sink = sink,
                          .userdata = userdata,
                          .archive = archive,
                          .utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0),
                          .names = json_object()};
    if (!writer->utf8 || archive_write_set_format_zip(archive) != ARCHIVE_OK ||
        archive_write_zip_set_compression_store(archive) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(archive, 0) != ARCHIVE_OK ||
        archive_write_open(archive, writer, NULL, take, NULL) != ARCHIVE_OK) {
        abort(); /* nothing but exhausted memory */
    }
    return writer;
}

ZipWriter *zip_writer_free(ZipWriter *writer) {
    if (writer) {
        (void)archive_write_fail(writer->archive); /* else it would write what is left */
        (void)archive_write_free(writer->archive);
        freelocale(writer->utf8);
        json_decref(writer->names);
        free(writer);
    }
    return NULL;
}

static const char *fold(Arena *arena, const char *name) {
    char *folded = arena_strdup(arena, str_from(name));

    for (char *c = folded; *c; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    return folded;
}

/* "a.jpg", and for the next one of that name "a (2).jpg". */
static const char *own_name(ZipWriter *writer, const char *name, Arena *arena) {
    const char *folded = fold(arena, name), *own = name;
    json_t *used = json_object_get(writer->names, folded);
    json_int_t number = MAX((json_int_t)2, json_integer_value(used));
    Str stem = name_stem(str_from(name));

    while (used && json_object_get(writer->names, fold(arena, own))) {
        own = arena_printf(arena, "%.*s (%lld)%s", (int)stem.len, stem.ptr, (long long)number++,
                           name + stem.len);
    }
    if (used) {
        json_object_set_new(writer->names, folded, json_integer(number));
    }
    json_object_set_new(writer->names, fold(arena, own), json_true());
    return own;
}

int zip_writer_begin(ZipWriter *writer, const char *name, uint64_t size, int64_t changed_s) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    struct archive_entry *entry = archive_entry_new();
    locale_t before = uselocale(writer->utf8);
    int r;

    archive_entry_set_pathname(entry, own_name(writer, name, arena));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, (time_t)changed_s, 0);
    archive_entry_set_size(entry, (la_int64_t)size);
    r = archive_write_header(writer->archive, entry);
    uselocale(before);
    archive_entry_free(entry);
    return r == ARCHIVE_OK ? 0 : err_trace(-EIO);
}

int zip_writer_add(ZipWriter *writer, const void *bytes, size_t len) {
    return archive_write_data(writer->archive, bytes, len) == (la_ssize_t)len ? 0 : err_trace(-EIO);
}

int zip_writer_end(ZipWriter *writer) {
    return archive_write_close(writer->archive) == ARCHIVE_OK ? 0 : err_trace(-EIO);
}
