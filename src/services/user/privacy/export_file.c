/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The file of an export as it is sent: what was made of the account, and then the library, read
 * piece by piece from who has it (docs/decisions/0019). No second copy of the photos is kept, so
 * none of it can fill a disk, and a download that breaks off is begun again.
 */

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "services/user/privacy/export.h"

#include <archive.h>
#include <archive_entry.h>

typedef struct ExportFile {
    UserService *service;
    Uuid user_id;
    ZipWriter *archive;
    char *piece; /* LIBRARY_SERVICE_LEN_MAX */
    bool ended;

    /* What was made of the account; NULL: all of it is written. */
    struct archive *account;
    int fd;

    /* The library's file under way; at_end: the last was written. */
    Arena *arena;
    LibraryFile file;
    char at[LIBRARY_SERVICE_AT_MAX + 1];
    uint64_t offset;
    bool at_end;
    json_t *unreadable;
} ExportFile;

static void file_done(void *state) {
    ExportFile *file = state;

    (void)archive_read_free(file->account);
    fd_close(file->fd);
    zip_writer_free(file->archive);
    json_decref(file->unreadable);
    arena_free(file->arena);
    free(file->piece);
    free(file);
}

/* One file of the account's, which are small. */
static int add_of_account(ExportFile *file) {
    struct archive_entry *entry;
    la_ssize_t n = 0;
    int r = archive_read_next_header(file->account, &entry);

    if (r == ARCHIVE_EOF) {
        (void)archive_read_free(file->account);
        file->account = NULL;
        return 0;
    }
    if (r != ARCHIVE_OK) {
        return err_trace(-EBADMSG);
    }
    r = zip_writer_begin(file->archive, &(ZipFile){.name = archive_entry_pathname(entry),
                                                   .at_s = archive_entry_mtime(entry),
                                                   .size = (uint64_t)archive_entry_size(entry)});
    while (r == 0 &&
           (n = archive_read_data(file->account, file->piece, LIBRARY_SERVICE_LEN_MAX)) > 0) {
        r = zip_writer_add(file->archive, (Str){file->piece, (size_t)n});
    }
    return r == 0 && n < 0 ? err_trace(-EBADMSG) : err_trace(r);
}

static void note_unreadable(ExportFile *file, uint64_t from) {
    json_array_append_new(file->unreadable, json_pack("{s:s,s:I}", "name", file->file.name, "from",
                                                      (json_int_t)from));
}

/* What the store does not give is zeros: the archive says how long the file is, and goes on. */
static int read_piece(ExportFile *file, size_t *ret_n) {
    int r;

    *ret_n = (size_t)MIN((uint64_t)LIBRARY_SERVICE_LEN_MAX, file->file.size - file->offset);
    if (*ret_n == 0) {
        return 0;
    }
    r = library_service_read(file->service->libraries, &file->user_id, file->at, file->offset,
                             file->piece, *ret_n);
    if (r == LIBRARY_SERVICE_E_UNREADABLE && file->offset > 0) {
        note_unreadable(file, file->offset);
        memset(file->piece, 0, *ret_n);
        return 0;
    }
    return r < 0 ? err_trace(r) : r;
}

static int add_piece(ExportFile *file) {
    size_t n;
    int r = read_piece(file, &n);

    file->offset += n;
    return r == 0 ? err_trace(zip_writer_add(file->archive, (Str){file->piece, n})) : err_trace(r);
}

static int begin_file(ExportFile *file, const char *name, bool stored) {
    const ZipFile head = {
        .name = name, .at_s = (int64_t)file->file.at_s, .size = file->file.size, .stored = stored};

    return err_trace(zip_writer_begin(file->archive, &head));
}

static int add_text(ExportFile *file, const char *name, Str text) {
    int r;

    file->file.size = file->offset = text.len;
    r = begin_file(file, name, false);
    return r == 0 ? err_trace(zip_writer_add(file->archive, text)) : r;
}

/* The last of all. */
static int add_unreadable(ExportFile *file) {
    _cleanup_(json_decrefp) json_t *list = json_pack("{s:O}", "unreadable", file->unreadable);
    _cleanup_(freep) char *text = json_dumps(list, JSON_INDENT(2));

    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    file->at_end = true;
    return add_text(file, "library/unreadable.json", str_from(text));
}

/* The next file of the library with its first piece, which says whether it can be read at all. */
static int begin_next(ExportFile *file) {
    const char *name;
    size_t n;
    int r;

    arena_free(file->arena);
    file->arena = arena_new();
    file->offset = 0;
    r = library_service_next(file->service->libraries, &file->user_id, file->at, file->arena,
                             &file->file);
    if (r == LIBRARY_SERVICE_E_END) {
        return add_unreadable(file);
    }
    if (r < 0) {
        return err_trace(r);
    }
    snprintf(file->at, sizeof(file->at), "%s", file->file.at);
    name = arena_printf(file->arena, "library/%s", file->file.name);
    if (file->file.text.ptr) {
        return add_text(file, name, file->file.text);
    }
    r = read_piece(file, &n);
    if (r == LIBRARY_SERVICE_E_UNREADABLE) {
        note_unreadable(file, 0);
        file->offset = file->file.size;
        return 0;
    }
    if (r == 0) {
        r = begin_file(file, name, true);
    }
    file->offset = n;
    return r == 0 ? err_trace(zip_writer_add(file->archive, (Str){file->piece, n})) : err_trace(r);
}

static int write_more(ExportFile *file) {
    if (file->account) {
        return add_of_account(file);
    }
    if (file->offset < file->file.size) {
        return add_piece(file);
    }
    if (!file->at_end) {
        return begin_next(file);
    }
    file->ended = true;
    return err_trace(zip_writer_end(file->archive));
}

static int read_file(void *state, uint64_t offset, void *bytes, size_t max, size_t *ret_n) {
    ExportFile *file = state;
    int r = 0;

    (void)offset; /* in order */
    *ret_n = zip_writer_take(file->archive, bytes, max);
    while (r == 0 && *ret_n == 0 && !file->ended) {
        r = write_more(file);
        *ret_n = zip_writer_take(file->archive, bytes, max);
    }
    if (r < 0) {
        log_error("the file of an export was broken off", LOG_STR("error", strerrordesc_np(-r)));
    }
    return err_trace(r);
}

int export_file_open(UserService *service, const Uuid *user_id, int fd, Arena *arena,
                     const HttpReader **ret_reader) {
    ExportFile *file = calloc(1, sizeof(*file));
    HttpReader *reader = arena_alloc(arena, sizeof(*reader));

    if (!file) {
        abort();
    }
    *file = (ExportFile){.service = service,
                         .user_id = *user_id,
                         .archive = zip_writer_new(&(ZipOptions){0}),
                         .piece = malloc(LIBRARY_SERVICE_LEN_MAX),
                         .account = archive_read_new(),
                         .fd = fd,
                         .at_end = service->libraries == NULL,
                         .unreadable = json_array()};
    if (!file->piece || !file->account || !file->unreadable) {
        abort();
    }
    if (lseek(fd, 0, SEEK_SET) < 0 ||
        archive_read_support_format_zip(file->account) != ARCHIVE_OK ||
        archive_read_open_fd(file->account, fd, 1 << 16) != ARCHIVE_OK) {
        file_done(file);
        return err_trace(-EBADMSG);
    }
    *reader = (HttpReader){
        .read = read_file, .done = file_done, .state = file, .executor = service->options.executor};
    *ret_reader = reader;
    return 0;
}
