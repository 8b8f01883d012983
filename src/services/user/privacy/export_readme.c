/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/export.h"

#include "base/error.h"

#define LINE_LEN 78

/* Adds `text` broken into lines, each after four blanks. */
static void add_wrapped(Buf *out, const char *text) {
    Str rest = str_from(text), word;
    size_t column = 0;

    while (str_next_token(&rest, " ", &word)) {
        if (column > 0 && column + 1 + word.len > LINE_LEN) {
            buf_addf(out, "\n");
            column = 0;
        }
        buf_addf(out, "%s", column == 0 ? "    " : " ");
        column += column == 0 ? 4 : 1;
        buf_add_str(out, word);
        column += word.len;
    }
    buf_addf(out, "\n\n");
}

int export_write_readme(ExportRun *run) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_addf(&text,
             "What Image Sync at %s keeps of you\n\n"
             "The .json files are JSON (RFC 8259) in UTF-8; times are RFC 3339, in UTC. What is\n"
             "empty is there, so that you see that nothing was left out.\n\n"
             "The photos of your library are not in here, as together they may be very large.\n"
             "GET /v1/objects tells all that is kept of them, GET /v1/photos/{id}/original has\n"
             "each file, and GET /v1/albums/{id}/zip and POST /v1/zip have many at once.\n\n",
             run->service->public_url ? run->service->public_url : "");
    for (const ExportContent *content = export_contents; content->name; content++) {
        buf_addf(&text, "%s\n", content->name);
        add_wrapped(&text, content->about);
    }
    return export_archive_add(run->archive, buf_str(&text));
}
