/* SPDX-License-Identifier: Apache-2.0 */
#include "app/login/credentials.h"

#include "app/file_io.h"
#include "base/crypto/secret.h"
#include "base/error.h"
#include "base/json.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LEN_MAX ((size_t)4 << 20)

int credentials_path(Arena *arena, const char **ret_path) {
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    /* XDG Base Directory Specification: a path that is not absolute counts for nothing. */
    if (config && config[0] == '/') {
        *ret_path = arena_printf(arena, "%s/imagesync/credentials.json", config);
    } else if (home && home[0] == '/') {
        *ret_path = arena_printf(arena, "%s/.config/imagesync/credentials.json", home);
    } else {
        return -ENOENT;
    }
    return 0;
}

int credentials_lock(const char *path, int *ret_fd) {
    _cleanup_(buf_done) Buf name = BUF_INIT;
    _cleanup_(fd_closep) int fd = -1;
    mode_t before = umask(0077);
    int r;

    buf_add(&name, path, (size_t)(strrchr(path, '/') - path));
    r = file_make_folders(name.data);
    umask(before);
    if (r < 0) {
        return r;
    }
    buf_addf(&name, "/credentials.lock");
    fd = open(name.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_errno();
    }
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return err_errno();
        }
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

typedef struct Entry {
    const char *access_token, *refresh_token;
    double expires_s;
} Entry;

static const JsonField entry_fields[] = {
    {"access_token", JSON_FIELD_STR, offsetof(Entry, access_token), true, .max = 16384},
    {"refresh_token", JSON_FIELD_STR, offsetof(Entry, refresh_token), true, .max = 4096},
    {"expires", JSON_FIELD_DOUBLE, offsetof(Entry, expires_s), true, .min = 0, .max = 1e12},
    {0},
};

static int read_json(const json_t *json, Arena *arena, Credentials *credentials) {
    const char *current = json_string_value(json_object_get(json, "current")), *server, *where;
    json_t *servers = json_object_get(json, "servers"), *item;

    if (!json_is_object(servers) || json_object_size(servers) > CREDENTIALS_MAX) {
        return -EBADMSG;
    }
    credentials->current = current ? arena_strdup(arena, str_from(current)) : NULL;
    json_object_foreach(servers, server, item) {
        Entry entry = {0};
        if (json_read(item, entry_fields, arena, &entry, &where) < 0) {
            return -EBADMSG;
        }
        credentials->items[credentials->n_items++] =
            (Credential){arena_strdup(arena, str_from(server)), entry.access_token,
                         entry.refresh_token, (int64_t)entry.expires_s};
    }
    return 0;
}

int credentials_load(const char *path, Arena *arena, Credentials *ret_credentials) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_(json_decrefp) json_t *json = NULL;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    int r;

    *ret_credentials = (Credentials){0};
    if (fd < 0) {
        return errno == ENOENT ? 0 : err_errno();
    }
    r = fd_read_to_end(fd, FILE_LEN_MAX, &text);
    if (r < 0) {
        return r;
    }
    json = json_loadb(buf_cstr(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
    secret_wipe(text.data, text.len);
    return json ? read_json(json, arena, ret_credentials) : -EBADMSG;
}

/* A whole file under its name, or nothing. */
static int replace(const char *path, Str text) {
    _cleanup_(buf_done) Buf temporary = BUF_INIT;
    int fd, r;

    buf_addf(&temporary, "%s.%ld.part", path, (long)getpid());
    unlink(temporary.data); /* of a process of that number, long dead: we hold the lock */
    fd = open(temporary.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_errno();
    }
    r = fd_write_all(fd, text.ptr, text.len);
    if (r == 0 && fsync(fd) < 0) {
        r = err_errno();
    }
    if (close(fd) < 0 && r == 0) {
        r = err_errno();
    }
    if (r == 0 && rename(temporary.data, path) < 0) {
        r = err_errno();
    }
    if (r < 0) {
        unlink(temporary.data);
    }
    return r;
}

int credentials_save(const char *path, const Credentials *credentials) {
    _cleanup_(json_decrefp) json_t *json = json_pack("{s:{}}", "servers");
    char *text;
    int r;

    if (credentials->current) {
        json_object_set_new(json, "current", json_string(credentials->current));
    }
    for (size_t i = 0; i < credentials->n_items; i++) {
        const Credential *item = &credentials->items[i];
        json_object_set_new(json_object_get(json, "servers"), item->server,
                            json_pack("{s:s,s:s,s:I}", "access_token", item->access_token,
                                      "refresh_token", item->refresh_token, "expires",
                                      (json_int_t)item->expires_s));
    }
    text = json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS);
    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    r = replace(path, str_from(text));
    secret_wipe(text, strlen(text));
    free(text);
    return r;
}

Credential *credentials_find(Credentials *credentials, const char *server) {
    for (size_t i = 0; i < credentials->n_items; i++) {
        if (strcmp(credentials->items[i].server, server) == 0) {
            return &credentials->items[i];
        }
    }
    return NULL;
}

int credentials_put(Credentials *credentials, const Credential *credential) {
    Credential *place = credentials_find(credentials, credential->server);

    if (!place && credentials->n_items == CREDENTIALS_MAX) {
        return -E2BIG;
    }
    if (!place) {
        place = &credentials->items[credentials->n_items++];
    }
    *place = *credential;
    credentials->current = credential->server;
    return 0;
}

void credentials_remove(Credentials *credentials, const char *server) {
    Credential *place = credentials_find(credentials, server);

    if (place) {
        *place = credentials->items[--credentials->n_items];
    }
    if (credentials->current && strcmp(credentials->current, server) == 0) {
        credentials->current = credentials->n_items == 1 ? credentials->items[0].server : NULL;
    }
}
