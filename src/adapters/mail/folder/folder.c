/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/mail/folder/folder.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_MAX_LEN      64
#define TEMPORARY_MAX_LEN (NAME_MAX_LEN + 5)

typedef struct MailFolder {
    Mailer mailer; /* first */
    int fd;
    Arena *arena; /* holds what `from` points to; not touched after the start */
    MailSender from;
} MailFolder;

/* Sorts by time; the random part keeps two of the same second apart. */
static void make_names(char temporary[TEMPORARY_MAX_LEN], char name[NAME_MAX_LEN]) {
    time_t now = (time_t)clock_unix_s();
    uint64_t random;
    struct tm utc;

    gmtime_r(&now, &utc);
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        abort();
    }
    snprintf(name, NAME_MAX_LEN, "%04d%02d%02dT%02d%02d%02dZ-%016llx.eml", utc.tm_year + 1900,
             utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
             (unsigned long long)random);
    snprintf(temporary, TEMPORARY_MAX_LEN, ".%s.tmp", name);
}

static int write_file(int folder, const char *name, const Buf *text) {
    _cleanup_(fd_closep) int fd =
        openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? err_errno() : fd_write_all(fd, text->data, text->len);

    if (r == 0 && fsync(fd) < 0) {
        r = err_errno();
    }
    return r;
}

static int folder_send(Mailer *mailer, const MailMessage *message) {
    MailFolder *self = (MailFolder *)mailer;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    char temporary[TEMPORARY_MAX_LEN], name[NAME_MAX_LEN];
    int r = mail_message_write(&self->from, message, &text);

    if (r != 0) {
        return r;
    }
    make_names(temporary, name);
    r = write_file(self->fd, temporary, &text);
    if (r == 0 && renameat(self->fd, temporary, self->fd, name) < 0) {
        r = err_errno();
    }
    if (r < 0) {
        unlinkat(self->fd, temporary, 0);
        return err_trace(r);
    }
    return fsync(self->fd) < 0 ? err_trace(err_errno()) : 0;
}

static Mailer *folder_free(Mailer *mailer) {
    MailFolder *self = (MailFolder *)mailer;

    fd_close(self->fd);
    arena_free(self->arena);
    free(self);
    return NULL;
}

int mail_folder_new(const char *folder, const MailSender *from, Mailer **ret_mailer) {
    static const MailerImpl impl = {folder_send, folder_free};
    _cleanup_(fd_closep) int fd = -1;
    struct stat status;
    MailFolder *self;

    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        return err_trace(err_errno());
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_trace(err_errno());
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0 && fchmod(fd, 0700) < 0) {
        return err_trace(err_errno());
    }
    self = calloc(1, sizeof(*self));
    if (!self) {
        abort();
    }
    self->mailer.impl = &impl;
    self->fd = TAKE_FD(fd);
    self->arena = arena_new();
    self->from.name = arena_strdup(self->arena, str_from(from->name));
    self->from.address = arena_strdup(self->arena, str_from(from->address));
    *ret_mailer = &self->mailer;
    return 0;
}
