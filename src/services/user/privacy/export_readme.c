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

static const char library_text[] =
    "library/ is your library as it was when you downloaded this, as the API tells it, with\n"
    "times in milliseconds since 1970: objects-N.json has photos, albums and edits,\n"
    "shares-N.json the links that show them, devices.json how far each device has read,\n"
    "settings.json what you want of it. photos/ has each file as it was uploaded, named by\n"
    "the photo's id and its name, and trash/ those that you threw away. unreadable.json lists\n"
    "files that are damaged here: missing from byte \"from\" on, or not here at all when that\n"
    "is 0.\n\n";
static const char no_library_text[] =
    "This server keeps no libraries of photos, or does not know where they are kept.\n\n";

int export_write_readme(ExportRun *run) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_addf(&text,
             "What Image Sync at %s keeps of you\n\n"
             "The .json files are JSON (RFC 8259) in UTF-8; times are RFC 3339, in UTC. What is\n"
             "empty is there, so that you see that nothing was left out.\n\n"
             "%s",
             run->service->public_url ? run->service->public_url : "",
             run->service->libraries ? library_text : no_library_text);
    for (const ExportContent *content = export_contents; content->name; content++) {
        buf_addf(&text, "%s\n", content->name);
        add_wrapped(&text, content->about);
    }
    return zip_writer_add(run->archive, buf_str(&text));
}
