/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/blobs/folder/folder.h"
#include "adapters/db/sqlite/sqlite.h"
#include "app/backup/backup_command.h"
#include "app/backup/file_set.h"
#include "app/file_io.h"
#include "app/registry.h"
#include "base/error.h"
#include "base/json.h"
#include "services/sync/epoch.h"
#include "services/sync/store_id.h"
#include "services/user/key_backup.h"

#include <fcntl.h>
#include <unistd.h>

#define LIST_MAX ((size_t)2 << 30)

const CliOption restore_options[] = {
    {"keys", 0, CLI_TEXT, offsetof(BackupOptions, keys), .value = "FILE",
     .help = "The keys of users, as imagesync backup wrote them last. Needed with SQLite."},
    {0},
};

typedef struct Restore {
    const CliCall *call;
    const char *dir, *error;
    json_t *manifest;
    FileSet files;
    Blobs *from, *to;
    char store_id[BLOB_STORE_ID_LEN + 1];
    uint64_t n_wrong;
} Restore;

static void restore_done(Restore *restore) {
    json_decref(restore->manifest);
    file_set_done(&restore->files);
    blobs_free(restore->from);
    blobs_free(restore->to);
}

static const char *path_of(const Restore *restore, const char *name) {
    return arena_printf(restore->call->arena, "%s/%s", restore->dir, name);
}

static int read_file(Restore *restore, const char *path, Buf *text) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? err_errno() : fd_read_to_end(fd, LIST_MAX, text);

    if (r < 0) {
        restore->error = arena_printf(restore->call->arena, "%s: %s", path, strerrordesc_np(-r));
    }
    return r;
}

static bool has_digest(const uint8_t sha256[DIGEST_LEN], const json_t *expected) {
    char hex[DIGEST_HEX_SIZE];

    hex_encode((Str){(const char *)sha256, DIGEST_LEN}, hex);
    return json_is_string(expected) && strcmp(hex, json_string_value(expected)) == 0;
}

static int damaged(Restore *restore, const char *name) {
    restore->error = arena_printf(restore->call->arena,
                                  "%s is not what was backed up: it is damaged, or of another "
                                  "backup",
                                  path_of(restore, name));
    return -EBADMSG;
}

static int read_lists(Restore *restore) {
    _cleanup_(buf_done) Buf manifest = BUF_INIT, list = BUF_INIT;
    uint8_t sha256[DIGEST_LEN];
    int r = read_file(restore, path_of(restore, BACKUP_MANIFEST), &manifest);

    r = r < 0 ? r : read_file(restore, path_of(restore, BACKUP_FILES), &list);
    if (r < 0) {
        return r;
    }
    restore->manifest = json_loadb(buf_cstr(&manifest), manifest.len, 0, NULL);
    if (json_integer_value(json_object_get(restore->manifest, "format")) != 1) {
        return damaged(restore, BACKUP_MANIFEST);
    }
    digest_sha256(buf_str(&list), sha256);
    if (!has_digest(sha256,
                    json_object_get(json_object_get(restore->manifest, "files"), "list_sha256")) ||
        file_set_read(buf_str(&list), &restore->files) < 0) {
        return damaged(restore, BACKUP_FILES);
    }
    return 0;
}

static int check_database(Restore *restore) {
    const json_t *expected = json_object_get(restore->manifest, "database");
    uint8_t sha256[DIGEST_LEN];
    uint64_t size;
    int r = file_digest(path_of(restore, BACKUP_DATABASE), &size, sha256);

    return r < 0 || !has_digest(sha256, json_object_get(expected, "sha256"))
               ? damaged(restore, BACKUP_DATABASE)
               : 0;
}

static int open_stores(Restore *restore) {
    const CliCall *call = restore->call;
    char id[BLOB_STORE_ID_LEN + 1];
    const char *reason = NULL;
    int r = blobs_folder_new(path_of(restore, BACKUP_BLOBS), "", &restore->from, id, &reason);

    if (r < 0) {
        restore->error = arena_printf(call->arena, "%s: %s", path_of(restore, BACKUP_BLOBS),
                                      reason ? reason : strerrordesc_np(-r));
        return r;
    }
    file_make_folders(call->settings->data);
    return registry_open_blobs(call->settings, "", call->arena, &restore->to, restore->store_id,
                               &restore->error);
}

static int copy_blobs(Restore *restore) {
    for (size_t i = 0; i < restore->files.n; i++) {
        FileEntry entry = restore->files.entries[i];
        int r = file_copy(restore->from, restore->to, &restore->files.entries[i], false, &entry);
        if (r < 0) {
            return err_trace(r);
        }
        if (r > 0) {
            printf("the file %s %s\n", entry.name,
                   r == FILE_COPY_E_NONE ? "is missing in the backup"
                                         : "is not what was backed up");
            restore->n_wrong++;
        }
    }
    return 0;
}

static int fill_database(Restore *restore, const char *path, const char *keys) {
    _cleanup_(db_freep) Db *db = NULL;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    DbSqliteOptions options = {.path = path, .must_exist = true};
    int r = read_file(restore, keys, &text);

    r = r < 0 ? r : db_sqlite_open(&options, restore->call->arena, &db, &restore->error);
    r = r < 0 ? r : key_backup_put(db, buf_str(&text));
    if (r > 0) {
        restore->error = arena_printf(restore->call->arena,
                                      "%s holds no keys as imagesync backup writes them", keys);
        return -EINVAL;
    }
    r = r < 0 ? r : sync_store_id_set(db, restore->store_id);
    return r < 0 ? r : sync_epoch_renew(db);
}

/* Whole under its name, or not at all. */
static int put_database(Restore *restore, const char *path, const char *keys) {
    const char *partial = arena_printf(restore->call->arena, "%s.partial", path);
    int r;

    if (unlink(partial) < 0 && errno != ENOENT) {
        return err_errno();
    }
    r = db_sqlite_copy(path_of(restore, BACKUP_DATABASE), partial);
    r = r < 0 ? r : fill_database(restore, partial, keys);
    if (r == 0 && rename(partial, path) < 0) {
        r = err_errno();
    }
    return r;
}

/* One that others have restored. */
static int adopt_database(Restore *restore) {
    _cleanup_(db_freep) Db *db = NULL;
    int r = registry_open_database(restore->call->settings, true, restore->call->arena, &db,
                                   &restore->error);

    r = r < 0 ? r : sync_store_id_set(db, restore->store_id);
    return r < 0 ? r : sync_epoch_renew(db);
}

static int refuse(Restore *restore, const char *keys, const char **ret_path) {
    const CliCall *call = restore->call;
    bool has_copy = json_object_get(restore->manifest, "database") != NULL;
    bool is_file = str_starts_with(str_from(call->settings->database), str_lit("sqlite:"));

    *ret_path = is_file ? call->settings->database + strlen("sqlite:") : NULL;
    if (has_copy != is_file) {
        return cli_usage(call->command, "%s is a backup of a server with %s; see --database",
                         restore->dir, has_copy ? "SQLite" : "PostgreSQL");
    }
    if (is_file && !keys) {
        return cli_usage(call->command, "give --keys FILE");
    }
    if (is_file && access(*ret_path, F_OK) == 0) {
        return cli_no_start("%s is there already: restore into an empty place, or move it away",
                            *ret_path);
    }
    return EXIT_OK;
}

int restore_command(const CliCall *call) {
    const BackupOptions *options = call->options;
    _cleanup_(restore_done) Restore restore = {.call = call, .dir = call->arguments[0]};
    const char *path;
    int status, r = read_lists(&restore);

    if (r < 0) {
        return cli_no_start("%s", restore.error);
    }
    status = refuse(&restore, options->keys, &path);
    if (status != EXIT_OK) {
        return status;
    }
    r = path ? check_database(&restore) : 0;
    r = r < 0 ? r : open_stores(&restore);
    r = r < 0 ? r : copy_blobs(&restore);
    r = r < 0 ? r : path ? put_database(&restore, path, options->keys) : adopt_database(&restore);
    if (r < 0) {
        return cli_no_start("not restored: %s",
                            restore.error ? restore.error : strerrordesc_np(-r));
    }
    printf("%zu files are restored; %llu of them are missing or damaged.\n",
           restore.files.n - (size_t)restore.n_wrong, (unsigned long long)restore.n_wrong);
    puts("The master key has to be put in its place; 'imagesync check --deep' looks at all of it.");
    return restore.n_wrong > 0 ? EXIT_SOME_FAILED : EXIT_OK;
}
