/* SPDX-License-Identifier: Apache-2.0 */
#include "app/backup/check_command.h"

#include "app/backup/libraries.h"
#include "base/clock.h"
#include "base/error.h"
#include "core/blobs/sealed_blob.h"
#include "services/sync/check/library_check.h"
#include "services/sync/upload/orphans.h"

#define LIST_MAX 1000
/* A file is there a moment before its row: what is so young may be an upload's. */
#define YOUNG_US (600ll * 1000000)

const CliOption check_options[] = {
    {"deep", 0, CLI_FLAG, offsetof(CheckOptions, deep),
     .help = "Read and open every file, which takes as long as reading all of them."},
    {0},
};

typedef struct Check {
    Libraries libraries;
    bool deep;
    const Uuid *user_id; /* whose library it is that is looked at */
    Buf names;           /* of the blobs that there are rows of, as uint64_t; see short_name() */
    uint64_t n_libraries, n_blobs, n_orphans, n_found;
} Check;

static void check_done(Check *check) {
    buf_done(&check->names);
    libraries_done(&check->libraries);
}

static void found(const char *text, void *userdata) {
    Check *check = userdata;
    char user[UUID_TEXT_SIZE];

    uuid_text(check->user_id, user);
    printf("%s: %s\n", user, text);
    check->n_found++;
}

/* Names are keyed hashes: of 64 bits of one no two are alike. */
static uint64_t short_name(const char *name) {
    uint64_t value = 0;

    for (; *name; name++) {
        value = value * 1099511628211u + (unsigned char)*name;
    }
    return value;
}

static int compare(const void *a, const void *b) {
    uint64_t left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return left < right ? -1 : left > right;
}

/* What is wrong with a file, or NULL. */
static int look_at(Check *check, const StoredBlob *blob, const char **ret_wrong) {
    Blobs *blobs = check->libraries.blobs;
    Str name = str_from(blob->name);
    uint64_t size;
    int r = blobs_size(blobs, name, &size);

    *ret_wrong = NULL;
    if (r == 0 && size != segments_sealed_len(blob->size)) {
        *ret_wrong = "has another length than it should have";
    } else if (r == 0 && check->deep) {
        r = sealed_blob_verify(blobs, name, blob->key, blob->size);
    }
    if (r < 0) {
        return err_trace(r);
    }
    if (r > 0) {
        *ret_wrong = r == BLOBS_E_NONE ? "is missing" : "is damaged";
    }
    return 0;
}

static int visit_blob(const StoredBlob *blob, void *userdata) {
    Check *check = userdata;
    const char *wrong = "has a key that does not open";
    char id[UUID_TEXT_SIZE], text[200];
    uint64_t name;
    int r = blob->name[0] ? look_at(check, blob, &wrong) : 0;

    if (r < 0) {
        return r;
    }
    check->n_blobs++;
    name = short_name(blob->name);
    buf_add(&check->names, &name, sizeof(name));
    if (wrong) {
        uuid_text(&blob->id, id);
        snprintf(text, sizeof(text), "the file %s (%s) %s", id, blob->name, wrong);
        found(text, check);
    }
    return 0;
}

static int visit_library(const Uuid *user_id, const UserKey *key, void *userdata) {
    Check *check = userdata;
    int r;

    check->user_id = user_id;
    check->n_libraries++;
    if (!key) {
        found("there is no key that opens this library", check);
        return 0;
    }
    r = library_check(check->libraries.access.db, key, found, check);
    return r < 0 ? err_trace(r) : libraries_each_blob(&check->libraries, key, visit_blob, check);
}

typedef struct Owner {
    Str name;
    Arena *arena;
    bool is_upload;
} Owner;

static int find_upload(DbTx *tx, void *userdata) {
    Owner *owner = userdata;

    return orphans_is_uploads(tx, owner->name, owner->arena, &owner->is_upload);
}

static int look_for_row(Check *check, const BlobEntry *entry, int64_t start_us, Arena *arena) {
    Owner owner = {.name = entry->name, .arena = arena};
    char text[BLOB_NAME_LEN_MAX + 1];
    uint64_t name;
    int r;

    snprintf(text, sizeof(text), "%.*s", (int)entry->name.len, entry->name.ptr);
    name = short_name(text);
    if (entry->changed_us >= start_us - YOUNG_US ||
        bsearch(&name, check->names.data, check->names.len / sizeof(name), sizeof(name), compare)) {
        return 0;
    }
    r = db_read(check->libraries.access.db, NULL, find_upload, &owner);
    if (r == 0 && !owner.is_upload) {
        printf("nobody's: the file %s\n", text);
        check->n_orphans++;
    }
    return err_trace(r);
}

static int find_orphans(Check *check, int64_t start_us) {
    char after[BLOB_NAME_LEN_MAX + 1] = "";
    size_t n = LIST_MAX;

    qsort(check->names.data, check->names.len / sizeof(uint64_t), sizeof(uint64_t), compare);
    while (n == LIST_MAX) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        BlobEntry *entries;
        int r = blobs_list(check->libraries.blobs, BLOB_AREA_BLOBS, str_from(after), LIST_MAX,
                           arena, &entries, &n);
        if (r < 0) {
            return err_trace(r);
        }
        for (size_t i = 0; r == 0 && i < n; i++) {
            r = look_for_row(check, &entries[i], start_us, arena);
        }
        if (r < 0) {
            return err_trace(r);
        }
        if (n > 0) {
            snprintf(after, sizeof(after), "%.*s", (int)entries[n - 1].name.len,
                     entries[n - 1].name.ptr);
        }
    }
    return 0;
}

int check_command(const CliCall *call) {
    const CheckOptions *options = call->options;
    _cleanup_(check_done) Check check = {.deep = options->deep};
    int64_t start_us = clock_unix_us();
    const char *error = "";
    int r;

    if (libraries_open(call->settings, call->arena, &check.libraries, &error) < 0) {
        return cli_no_start("%s", error);
    }
    buf_reserve(&check.names, sizeof(uint64_t));
    r = libraries_each(&check.libraries, visit_library, &check);
    r = r < 0 ? r : find_orphans(&check, start_us);
    if (r < 0) {
        return cli_no_start("not everything could be looked at: %s", strerrordesc_np(-r));
    }
    printf("%llu libraries with %llu files; %llu wrong, %llu files that are nobody's\n",
           (unsigned long long)check.n_libraries, (unsigned long long)check.n_blobs,
           (unsigned long long)check.n_found, (unsigned long long)check.n_orphans);
    return check.n_found + check.n_orphans > 0 ? EXIT_SOME_FAILED : EXIT_OK;
}
