/* SPDX-License-Identifier: Apache-2.0 */

/* How JSON is written into an export. */

#include "base/error.h"
#include "services/user/privacy/export.h"

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#define SECOND_US 1000000LL

json_t *export_time_json(int64_t us) {
    time_t seconds = (time_t)(us / SECOND_US);
    char text[48], date[32];
    struct tm utc;

    if (us <= 0 || !gmtime_r(&seconds, &utc) ||
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc) == 0) {
        return json_null();
    }
    snprintf(text, sizeof(text), "%s.%06dZ", date, (int)(us % SECOND_US));
    return json_string(text);
}

static int add_text(ExportRun *run, const char *text) {
    return zip_writer_add(run->archive, str_from(text));
}

/* `json` is borrowed. */
static int add_value(ExportRun *run, const json_t *json) {
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);
    int r;

    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    r = add_text(run, text);
    free(text);
    return r;
}

int export_add_json(ExportRun *run, json_t *json) {
    int r = add_value(run, json);

    json_decref(json);
    return r == 0 ? add_text(run, "\n") : r;
}

static int begin_list(ExportRun *run, const char *name) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_addf(&text, "{\"%s\": [", name);
    return zip_writer_add(run->archive, buf_str(&text));
}

static int add_items(ExportRun *run, const json_t *items, bool *first) {
    int r = 0;

    for (size_t i = 0; i < json_array_size(items) && r == 0; i++) {
        r = add_text(run, *first ? "\n" : ",\n");
        *first = false;
        if (r == 0) {
            r = add_value(run, json_array_get(items, i));
        }
    }
    return r;
}

/* The list is anew each time that the transaction is. */
typedef struct Loading {
    ExportPage *page;
    DbWork *load;
    int64_t at;
    Uuid after;
} Loading;

static int load_anew(DbTx *tx, void *userdata) {
    Loading *loading = userdata;
    ExportPage *page = loading->page;

    json_array_clear(page->list.items);
    page->at = loading->at;
    page->after = loading->after;
    return loading->load(tx, page);
}

/* The next page; none is an empty one. */
static int load_page(ExportPage *page, DbWork *load) {
    Loading loading = {page, load, page->at, page->after};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    int r;

    page->list.arena = arena;
    r = db_read(page->list.run->service->options.db, NULL, load_anew, &loading);
    page->list.arena = NULL;
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int write_list(ExportRun *run, const char *name, DbWork *load, bool paged) {
    _cleanup_(json_decrefp) json_t *items = json_array();
    ExportPage page = {.list = {.run = run, .items = items}};
    bool first = true;
    size_t n;
    int r = begin_list(run, name);

    do {
        if (r == 0) {
            r = load_page(&page, load);
        }
        if (r == 0) {
            r = add_items(run, items, &first);
        }
        n = json_array_size(items);
    } while (r == 0 && paged && n > 0);
    return r == 0 ? add_text(run, first ? "]}\n" : "\n]}\n") : r;
}

int export_write_list(ExportRun *run, const char *name, DbWork *load) {
    return write_list(run, name, load, false);
}

int export_write_pages(ExportRun *run, const char *name, DbWork *load) {
    return write_list(run, name, load, true);
}
