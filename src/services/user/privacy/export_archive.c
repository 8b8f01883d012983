/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/export_archive.h"

#include "base/error.h"

#include <archive.h>
#include <archive_entry.h>

struct ExportArchive {
    struct archive *archive;
    ExportSink *sink;
    void *userdata;
    int64_t at_us;
    int fault; /* what the sink returned */
};

static la_ssize_t hand_on(struct archive *library, void *userdata, const void *bytes, size_t len) {
    ExportArchive *archive = userdata;

    archive->fault = archive->sink((Str){bytes, len}, archive->userdata);
    if (archive->fault != 0) {
        archive_set_error(library, EIO, "not taken");
        return -1;
    }
    return (la_ssize_t)len;
}

/* What a call of the library came to. */
static int result(const ExportArchive *archive, bool done) {
    if (done) {
        return 0;
    }
    return archive->fault != 0 ? archive->fault : err_trace(-EIO);
}

ExportArchive *export_archive_new(ExportSink *sink, void *userdata, int64_t at_us) {
    ExportArchive *archive = calloc(1, sizeof(*archive));

    if (!archive) {
        abort();
    }
    *archive = (ExportArchive){archive_write_new(), sink, userdata, at_us, 0};
    /* Sizes are not known before, which would make it ZIP64, which some programs do not read; what
     * is bounded as this is does not need it. */
    if (!archive->archive || archive_write_set_format_zip(archive->archive) != ARCHIVE_OK ||
        archive_write_set_format_option(archive->archive, "zip", "zip64", NULL) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(archive->archive, (int)EXPORT_PIECE_LEN) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(archive->archive, 1) != ARCHIVE_OK ||
        archive_write_open(archive->archive, archive, NULL, hand_on, NULL) != ARCHIVE_OK) {
        abort(); /* nothing but exhausted memory */
    }
    return archive;
}

ExportArchive *export_archive_free(ExportArchive *archive) {
    if (archive) {
        (void)archive_write_fail(archive->archive); /* else it would write what is left */
        (void)archive_write_free(archive->archive);
        free(archive);
    }
    return NULL;
}

int export_archive_begin(ExportArchive *archive, const char *name) {
    struct archive_entry *entry = archive_entry_new();
    bool done;

    if (!entry) {
        abort();
    }
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, (time_t)(archive->at_us / 1000000), 0);
    done = archive_write_header(archive->archive, entry) == ARCHIVE_OK;
    archive_entry_free(entry);
    return result(archive, done);
}

int export_archive_add(ExportArchive *archive, Str bytes) {
    return result(archive,
                  bytes.len == 0 || archive_write_data(archive->archive, bytes.ptr, bytes.len) ==
                                        (la_ssize_t)bytes.len);
}

int export_archive_end(ExportArchive *archive) {
    return result(archive, archive_write_close(archive->archive) == ARCHIVE_OK);
}
