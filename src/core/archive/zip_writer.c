/* SPDX-License-Identifier: Apache-2.0 */
#include "core/archive/zip_writer.h"

#include "base/arena.h"
#include "base/error.h"

#include <archive.h>
#include <archive_entry.h>
#include <jansson.h>
#include <locale.h>

struct ZipWriter {
    struct archive *archive;
    ZipOptions options;
    locale_t utf8; /* the library writes names in the locale's encoding */
    int fault;     /* what the sink returned; nothing is written any more */
    json_t *names; /* that are used, folded to lower case: true, or the number to try next */
    Buf held;      /* without a sink: from held_at on it was not taken yet */
    size_t held_at;
};

static la_ssize_t hand_on(struct archive *library, void *userdata, const void *bytes, size_t len) {
    ZipWriter *writer = userdata;

    if (writer->fault != 0) {
        archive_set_error(library, EIO, "given up");
        return -1;
    }
    if (!writer->options.sink) {
        buf_add(&writer->held, bytes, len);
        return (la_ssize_t)len;
    }
    writer->fault = writer->options.sink((Str){bytes, len}, writer->options.userdata);
    if (writer->fault != 0) {
        archive_set_error(library, EIO, "not taken");
        return -1;
    }
    return (la_ssize_t)len;
}

/* What a call of the library came to. */
static int result(const ZipWriter *writer, bool done) {
    if (done) {
        return 0;
    }
    return writer->fault != 0 ? writer->fault : err_trace(-EIO);
}

ZipWriter *zip_writer_new(const ZipOptions *options) {
    ZipWriter *writer = calloc(1, sizeof(*writer));

    if (!writer) {
        abort();
    }
    *writer = (ZipWriter){.archive = archive_write_new(),
                          .options = *options,
                          .names = json_object(),
                          .utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0)};
    if (!writer->archive || !writer->utf8 ||
        archive_write_set_format_zip(writer->archive) != ARCHIVE_OK ||
        (options->small &&
         archive_write_set_format_option(writer->archive, "zip", "zip64", NULL) != ARCHIVE_OK) ||
        archive_write_set_bytes_per_block(writer->archive, (int)options->piece_len) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(writer->archive, 1) != ARCHIVE_OK ||
        archive_write_open(writer->archive, writer, NULL, hand_on, NULL) != ARCHIVE_OK) {
        abort(); /* nothing but exhausted memory */
    }
    return writer;
}

ZipWriter *zip_writer_free(ZipWriter *writer) {
    if (writer) {
        /* It would write what is left. Freeing alone leaves a part of one that failed behind. */
        writer->fault = -ECANCELED;
        (void)archive_write_close(writer->archive);
        (void)archive_write_free(writer->archive);
        freelocale(writer->utf8);
        json_decref(writer->names);
        buf_done(&writer->held);
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
    Str stem = str_file_stem(str_from(name));

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

int zip_writer_begin(ZipWriter *writer, const ZipFile *file) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    struct archive_entry *entry = archive_entry_new();
    locale_t before = uselocale(writer->utf8);
    bool done;

    if (!entry) {
        abort();
    }
    archive_entry_set_pathname(entry, writer->options.distinct ? own_name(writer, file->name, arena)
                                                               : file->name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, (time_t)file->at_s, 0);
    if (file->size != ZIP_SIZE_UNKNOWN) {
        archive_entry_set_size(entry, (la_int64_t)file->size);
    }
    done =
        (file->stored ? archive_write_zip_set_compression_store(writer->archive)
                      : archive_write_zip_set_compression_deflate(writer->archive)) == ARCHIVE_OK &&
        archive_write_header(writer->archive, entry) == ARCHIVE_OK;
    uselocale(before);
    archive_entry_free(entry);
    return result(writer, done);
}

int zip_writer_add(ZipWriter *writer, Str bytes) {
    return result(writer, bytes.len == 0 || archive_write_data(writer->archive, bytes.ptr,
                                                               bytes.len) == (la_ssize_t)bytes.len);
}

int zip_writer_end(ZipWriter *writer) {
    return result(writer, archive_write_close(writer->archive) == ARCHIVE_OK);
}

size_t zip_writer_take(ZipWriter *writer, void *bytes, size_t max) {
    size_t n = MIN(max, writer->held.len - writer->held_at);

    if (n > 0) {
        memcpy(bytes, writer->held.data + writer->held_at, n);
    }
    writer->held_at += n;
    if (writer->held_at == writer->held.len) {
        writer->held.len = writer->held_at = 0;
    }
    return n;
}
