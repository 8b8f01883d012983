/* SPDX-License-Identifier: Apache-2.0 */
#include "app/backup/backup_command.h"

#include "adapters/blobs/folder/folder.h"
#include "adapters/db/sqlite/sqlite.h"
#include "app/backup/file_set.h"
#include "app/backup/libraries.h"
#include "app/file_io.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "services/user/key_backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_MAX ((size_t)2 << 30)

const CliOption backup_options[] = {
    {"keys", 0, CLI_TEXT, offsetof(BackupOptions, keys), .value = "FILE",
     .help = "Where the keys of users go, wrapped by the master key: not into DIR. Needed with "
             "SQLite."},
    {0},
};

typedef struct Backup {
    const CliCall *call;
    const char *dir;
    Libraries libraries;
    Blobs *blobs;          /* of the backup */
    FileSet before, files; /* of the last backup; of this one */
    uint64_t n_new, n_wrong;
} Backup;

static void backup_done(Backup *backup) {
    file_set_done(&backup->before);
    file_set_done(&backup->files);
    blobs_free(backup->blobs);
    libraries_done(&backup->libraries);
}

static const char *path_of(const Backup *backup, const char *name) {
    return arena_printf(backup->call->arena, "%s/%s", backup->dir, name);
}

static int write_text(const char *path, Str text) {
    _cleanup_(fd_closep) int fd = -1;
    int r = fd_memory_new("backup", &fd);

    r = r < 0 ? r : fd_write_all(fd, text.ptr, text.len);
    return r < 0 ? r : file_write(path, fd, text.len, true);
}

static int read_before(Backup *backup) {
    _cleanup_(fd_closep) int fd = open(path_of(backup, BACKUP_FILES), O_RDONLY | O_CLOEXEC);
    _cleanup_(buf_done) Buf text = BUF_INIT;
    int r;

    if (fd < 0) {
        return errno == ENOENT ? 0 : err_errno();
    }
    r = fd_read_to_end(fd, LIST_MAX, &text);
    return r < 0 ? r : file_set_read(buf_str(&text), &backup->before);
}

static int open_target(Backup *backup, const char **reterr) {
    char id[BLOB_STORE_ID_LEN + 1];
    const char *reason = NULL;
    int r = file_make_folders(backup->dir);

    r = r < 0 ? r
              : blobs_folder_new(path_of(backup, BACKUP_BLOBS), "", &backup->blobs, id, &reason);
    r = r < 0 ? r : read_before(backup);
    if (r < 0) {
        *reterr = arena_printf(backup->call->arena, "%s: %s", backup->dir,
                               reason ? reason : strerrordesc_np(-r));
    }
    return r;
}

static int copy_blob(const StoredBlob *blob, void *userdata) {
    Backup *backup = userdata;
    FileEntry entry = {0};
    const FileEntry *known;
    int r;

    if (blob->name[0] == '\0') {
        printf("a file's key does not open; see imagesync check\n");
        backup->n_wrong++;
        return 0;
    }
    if (file_set_find(&backup->files, blob->name)) {
        return 0;
    }
    snprintf(entry.name, sizeof(entry.name), "%s", blob->name);
    known = file_set_find(&backup->before, entry.name);
    r = file_copy(backup->libraries.blobs, backup->blobs, known, true, &entry);
    if (r < 0) {
        return err_trace(r);
    }
    if (r > 0) {
        printf("the file %s %s\n", entry.name,
               r == FILE_COPY_E_NONE ? "is missing in the store"
                                     : "is another in the backup than in the store");
        backup->n_wrong++;
        return 0;
    }
    backup->n_new += !known;
    file_set_add(&backup->files, &entry);
    return 0;
}

static int copy_library(const Uuid *user_id, const UserKey *key, void *userdata) {
    Backup *backup = userdata;

    (void)user_id;
    return key ? libraries_each_blob(&backup->libraries, key, copy_blob, backup) : 0;
}

static int copy_blobs(Backup *backup) {
    int r = libraries_each(&backup->libraries, copy_library, backup);

    file_set_sort(&backup->files);
    return r;
}

/* The copy, without the keys, and these to their file. */
static int split_keys(Backup *backup, const char *path, const char *keys, const char **reterr) {
    _cleanup_(db_freep) Db *copy = NULL;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    DbSqliteOptions options = {.path = path, .must_exist = true};
    int r = db_sqlite_open(&options, backup->call->arena, &copy, reterr);

    r = r < 0 ? r : key_backup_take(copy, &text);
    r = r < 0 ? r : write_text(keys, buf_str(&text));
    return r == 0 && chmod(keys, 0600) < 0 ? err_errno() : r;
}

static int copy_database(Backup *backup, const char *keys, json_t *manifest, const char **reterr) {
    const char *partial = path_of(backup, BACKUP_DATABASE ".partial");
    const char *from = backup->call->settings->database + strlen("sqlite:");
    uint8_t sha256[DIGEST_LEN];
    char hex[DIGEST_HEX_SIZE];
    uint64_t size = 0;
    int r;

    if (unlink(partial) < 0 && errno != ENOENT) {
        return err_errno();
    }
    r = db_sqlite_copy(from, partial);
    r = r < 0 ? r : split_keys(backup, partial, keys, reterr);
    r = r < 0 ? r : file_digest(partial, &size, sha256);
    if (r == 0 && rename(partial, path_of(backup, BACKUP_DATABASE)) < 0) {
        r = err_errno();
    }
    if (r < 0) {
        return r;
    }
    hex_encode((Str){(const char *)sha256, sizeof(sha256)}, hex);
    json_object_set_new(manifest, "database",
                        json_pack("{s:I,s:s}", "size", (json_int_t)size, "sha256", hex));
    return 0;
}

static int write_manifest(Backup *backup, json_t *manifest) {
    _cleanup_(buf_done) Buf list = BUF_INIT;
    _cleanup_(freep) char *text = NULL;
    uint8_t sha256[DIGEST_LEN];
    char hex[DIGEST_HEX_SIZE];
    int r;

    file_set_write(&backup->files, &list);
    digest_sha256(buf_str(&list), sha256);
    hex_encode((Str){(const char *)sha256, sizeof(sha256)}, hex);
    json_object_set_new(manifest, "files",
                        json_pack("{s:I,s:I,s:s}", "count", (json_int_t)backup->files.n, "bytes",
                                  (json_int_t)backup->files.bytes, "list_sha256", hex));
    text = json_dumps(manifest, JSON_INDENT(1));
    r = write_text(path_of(backup, BACKUP_FILES), buf_str(&list));
    return r != 0 ? r : write_text(path_of(backup, BACKUP_MANIFEST), str_from(text));
}

/* Files first, so that what the copy of the database knows is there, and those that came meanwhile
 * after it. */
static int run(Backup *backup, const char *keys, bool has_file, const char **reterr) {
    _cleanup_(json_decrefp) json_t *manifest =
        json_pack("{s:i,s:I,s:s}", "format", 1, "created", (json_int_t)(clock_unix_us() / 1000),
                  "version", IMAGESYNC_VERSION);
    int r = copy_blobs(backup);

    if (r == 0 && has_file) {
        r = copy_database(backup, keys, manifest, reterr);
        r = r < 0 ? r : copy_blobs(backup);
    }
    return r < 0 ? r : write_manifest(backup, manifest);
}

static void say_what_is_apart(const char *keys, bool has_file) {
    if (!has_file) {
        puts("The database is NOT in it: copy that with pg_dump, as docs/operations/backup.md "
             "says, after this.");
    } else {
        printf("The keys of users are in %s: keep it elsewhere, and only the newest.\n", keys);
    }
    puts("The master key is NOT in it: without it nothing can be read. Keep a copy of that apart.");
}

int backup_command(const CliCall *call) {
    const BackupOptions *options = call->options;
    bool has_file = str_starts_with(str_from(call->settings->database), str_lit("sqlite:"));
    _cleanup_(backup_done) Backup backup = {.call = call, .dir = call->arguments[0]};
    const char *error = NULL;
    int r;

    if (has_file && !options->keys) {
        return cli_usage(call->command,
                         "give --keys FILE, outside of %s: a backup that holds the "
                         "keys of users too would keep those who are erased",
                         backup.dir);
    }
    if (libraries_open(call->settings, call->arena, &backup.libraries, &error) < 0 ||
        open_target(&backup, &error) < 0) {
        return cli_no_start("%s", error);
    }
    r = run(&backup, options->keys, has_file, &error);
    if (r != 0) {
        return cli_no_start("the backup is not complete: %s; run it again",
                            error ? error : strerrordesc_np(r < 0 ? -r : EIO));
    }
    printf("%zu files with %.1f MB are in %s, %llu of them new.\n", backup.files.n,
           (double)backup.files.bytes / 1e6, backup.dir, (unsigned long long)backup.n_new);
    say_what_is_apart(options->keys, has_file);
    return backup.n_wrong > 0 ? EXIT_SOME_FAILED : EXIT_OK;
}
