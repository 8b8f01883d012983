/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/master_key_internal.h"
#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_LEN ((size_t)64)

/* Reads a file that only we can read into text[MASTER_KEY_TEXT_MAX]. */
static int read_private(const char *path, char *text, size_t *ret_len, const char **reterr) {
    /* O_NONBLOCK: a FIFO in its place must not hold us up before it is refused. */
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    int r;

    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_trace(err_errno());
    }
    if (!S_ISREG(status.st_mode)) {
        *reterr = "the master key file is not a regular file";
    } else if (status.st_uid != geteuid()) {
        *reterr = "the master key file belongs to another user than the one that runs this";
    } else if (status.st_mode & 077) {
        *reterr = "the master key file can be used by others: give it the mode 0600";
    } else if (status.st_size > (off_t)MASTER_KEY_TEXT_MAX) {
        *reterr = "the master key file is longer than 16 KiB";
    } else {
        r = fd_pread_all(fd, text, (size_t)status.st_size, 0);
        if (r < 0) {
            return err_trace(r);
        }
        *ret_len = (size_t)status.st_size;
        return 0;
    }
    return MASTER_KEY_E_REFUSED;
}

int master_keys_read_file(const char *path, MasterKeys **ret_keys, const char **reterr) {
    _cleanup_(secret_freep) char *text = secret_alloc(MASTER_KEY_TEXT_MAX);
    size_t len;
    int r = read_private(path, text, &len, reterr);

    return r == 0 ? master_keys_parse((Str){text, len}, ret_keys, reterr) : r;
}

/* "k5f3a9c01:..." and a line end; 55 characters. */
static size_t make_line(char line[LINE_MAX_LEN]) {
    uint8_t id[4], key[AEAD_KEY_LEN];
    char id_text[2 * sizeof(id) + 1];
    Buf encoded = BUF_INIT;
    int len;

    random_bytes(id, sizeof(id));
    random_bytes(key, sizeof(key));
    hex_encode((Str){(const char *)id, sizeof(id)}, id_text);
    base64url_encode((Str){(const char *)key, sizeof(key)}, &encoded);
    len = snprintf(line, LINE_MAX_LEN, "k%s:%s\n", id_text, buf_cstr(&encoded));
    secret_wipe(key, sizeof(key));
    secret_wipe(encoded.data, encoded.len);
    buf_done(&encoded);
    return (size_t)len;
}

static int open_folder(const char *path, int *ret_fd) {
    _cleanup_(freep) char *copy = strdup(path);
    int fd;

    if (!copy) {
        return err_trace(-ENOMEM);
    }
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_trace(err_errno());
    }
    *ret_fd = fd;
    return 0;
}

static int sync_folder(const char *path) {
    _cleanup_(fd_closep) int fd = -1;
    int r = open_folder(path, &fd);

    return r < 0 ? r : fsync(fd) < 0 ? err_trace(err_errno()) : 0;
}

/* One who changes the file at a time; ends with the descriptor. */
static int lock_folder(const char *path, int *ret_fd) {
    _cleanup_(fd_closep) int fd = -1;
    int r = open_folder(path, &fd);

    if (r < 0) {
        return r;
    }
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return err_trace(err_errno());
        }
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* A new file of mode 0600, whole and on disk, or none. */
static int write_private(const char *path, const char *text, size_t len) {
    _cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int r;

    if (fd < 0) {
        return errno == EEXIST ? MASTER_KEY_E_EXISTS : err_trace(err_errno());
    }
    r = fd_write_all(fd, text, len);
    if (r == 0 && fsync(fd) < 0) {
        r = err_errno();
    }
    if (r < 0) {
        unlink(path);
    }
    return err_trace(r);
}

int master_key_file_create(const char *path) {
    _cleanup_(secret_freep) char *line = secret_alloc(LINE_MAX_LEN);
    size_t len = make_line(line);
    int r = write_private(path, line, len);

    return r == 0 ? sync_folder(path) : r;
}

static int replace(const char *path, const char *text, size_t len) {
    _cleanup_(freep) char *beside = NULL;
    int r;

    if (asprintf(&beside, "%s.new", path) < 0) {
        beside = NULL;
        return err_trace(-ENOMEM);
    }
    /* We hold the lock: who left it there was ended midway. */
    if (unlink(beside) < 0 && errno != ENOENT) {
        return err_trace(err_errno());
    }
    r = write_private(beside, text, len);
    if (r != 0) {
        return r < 0 ? r : err_trace(-EEXIST);
    }
    if (rename(beside, path) < 0) {
        r = err_errno();
        unlink(beside);
        return err_trace(r);
    }
    return sync_folder(path);
}

/* Reads the file into text[MASTER_KEY_TEXT_MAX], with the lock, and checks that it is one. */
static int read_locked(const char *path, char *text, size_t *ret_len, int *ret_lock,
                       MasterKeys **ret_keys, const char **reterr) {
    int r = lock_folder(path, ret_lock);

    if (r == 0) {
        r = read_private(path, text, ret_len, reterr);
    }
    return r == 0 ? master_keys_parse((Str){text, *ret_len}, ret_keys, reterr) : r;
}

int master_key_file_add(const char *path, const char **reterr) {
    _cleanup_(secret_freep) char *text = secret_alloc(MASTER_KEY_TEXT_MAX + 1 + LINE_MAX_LEN);
    _cleanup_(master_keys_freep) MasterKeys *before = NULL, *after = NULL;
    _cleanup_(fd_closep) int lock = -1;
    size_t len;
    int r = read_locked(path, text, &len, &lock, &before, reterr);

    if (r != 0) {
        return r;
    }
    if (text[len - 1] != '\n') {
        text[len++] = '\n';
    }
    len += make_line(text + len);
    if (len > MASTER_KEY_TEXT_MAX) {
        *reterr = "the master key file is longer than 16 KiB";
        return MASTER_KEY_E_REFUSED;
    }
    /* What is written must be read again: neither one key too many nor an id that was drawn twice.
     */
    r = master_keys_parse((Str){text, len}, &after, reterr);
    return r == 0 ? replace(path, text, len) : r;
}

int master_key_file_remove(const char *path, Str id, const char **reterr) {
    _cleanup_(secret_freep) char *text = secret_alloc(MASTER_KEY_TEXT_MAX);
    _cleanup_(secret_freep) char *kept = secret_alloc(MASTER_KEY_TEXT_MAX + 1);
    _cleanup_(master_keys_freep) MasterKeys *before = NULL;
    _cleanup_(fd_closep) int lock = -1;
    size_t len, kept_len = 0;
    Str rest, line;
    int r = read_locked(path, text, &len, &lock, &before, reterr);

    if (r != 0) {
        return r;
    }
    if (!master_keys_has(before, id)) {
        return MASTER_KEY_E_UNKNOWN;
    }
    if (str_equal(str_from(master_keys_newest(before)), id)) {
        *reterr = "it is the newest key, which wraps all that is new";
        return MASTER_KEY_E_REFUSED;
    }
    rest = (Str){text, len};
    while (str_next_token(&rest, "\n", &line)) {
        Str of = str_trim(line), name;
        if (str_next_token(&of, ":", &name) && str_equal(name, id)) {
            continue;
        }
        memcpy(kept + kept_len, line.ptr, line.len);
        kept_len += line.len;
        kept[kept_len++] = '\n';
    }
    return replace(path, kept, kept_len);
}
