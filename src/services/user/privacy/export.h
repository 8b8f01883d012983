/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A copy of one's data (GDPR, articles 15 and 20): asked for, made in the background as a ZIP of
 * JSON files, told of by mail, downloaded while signed in.
 *
 *   POST /v1/me/exports              asks for one
 *   GET /v1/me/exports[/{id}]        what has become of it
 *   GET /v1/me/exports/{id}/file     the archive
 */

#include "base/http/stream.h"
#include "core/archive/zip_writer.h"
#include "services/user/account_store.h"
#include "services/user/housekeeping.h"
#include "services/user/privacy/export_store.h"

#define EXPORT_CHORE "exports"

/* What the files of an archive are written from. */
typedef struct ExportRun {
    UserService *service;
    const Account *account;
    int64_t now_us;
    ZipWriter *archive;
} ExportRun;

/*
 * Adds the bytes of a file that is begun already: UTF-8, in an order that is the same each time,
 * times as RFC 3339. What may be long is read and written page by page. No secret that signs in, no
 * hash of one, nothing of another user. 0, or what a call on the archive or the database returned.
 */
typedef int ExportWriter(ExportRun *run);

typedef struct ExportContent {
    const char *name;  /* of the file: ASCII */
    const char *about; /* for README.txt: sentences */
    ExportWriter *write;
} ExportContent;

/* The one list of what an export holds; ends with a name that is NULL. */
extern const ExportContent export_contents[];

/* README.txt, which explains the others. */
int export_write_readme(ExportRun *run);

/* "2026-11-29T16:37:03.000000Z" (RFC 3339), or null when `us` is 0. */
json_t *export_time_json(int64_t us);
/* Adds a JSON value as text; takes it over. */
int export_add_json(ExportRun *run, json_t *json);

/* Adds {"NAME": [...]} of what `load` appends to the list, in a transaction for reading. */
typedef struct ExportList {
    ExportRun *run;
    Arena *arena;
    json_t *items;
} ExportList;
int export_write_list(ExportRun *run, const char *name, DbWork *load);

/*
 * The same of a list of any length, page by page: `load` appends what comes after *at, moves that
 * on, and appends nothing when there is no more.
 */
typedef struct ExportPage {
    ExportList list;
    int64_t at;
    Uuid after;
} ExportPage;
int export_write_pages(ExportRun *run, const char *name, DbWork *load);

/*
 * The answer to who downloads it: what is in `fd` (an archive, taken over), and all of the user's
 * library, which is read meanwhile. 0 or a fault.
 */
int export_file_open(UserService *service, const Uuid *user_id, int fd, Arena *arena,
                     const HttpReader **ret_reader);

/* The chore: makes what was asked for, and removes what was kept long enough. */
HousekeepingWork exports_work;
