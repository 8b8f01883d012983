/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/mail/smtp/smtp.h"

#include "base/error.h"

#include <curl/curl.h>

/* Answers that are about us and not about the message (RFC 4954, section 6; RFC 3207). */
#define REPLY_AUTH_REQUIRED  530
#define REPLY_AUTH_TOO_WEAK  534
#define REPLY_AUTH_INVALID   535
#define REPLY_AUTH_ENCRYPTED 538

typedef struct MailSmtp {
    Mailer mailer; /* first */
    Arena *arena;  /* holds all strings; not touched after the start */
    MailSmtpOptions options;
    MailSender from;
} MailSmtp;

typedef struct Upload {
    Str rest;
    bool begun;
} Upload;

static size_t read_message(char *to, size_t size, size_t count, void *userdata) {
    Upload *upload = userdata;
    size_t n = MIN(upload->rest.len, size * count);

    memcpy(to, upload->rest.ptr, n);
    upload->rest = (Str){upload->rest.ptr + n, upload->rest.len - n};
    upload->begun = true;
    return n;
}

/* What the server's last answer means for this message. */
static int judge(CURL *curl, CURLcode code, const Upload *upload) {
    long reply = 0;

    if (code == CURLE_OK) {
        return 0;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return err_trace(-ETIMEDOUT);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return err_trace(-ECONNREFUSED);
    case CURLE_SEND_ERROR: /* MAIL, RCPT or DATA was refused, or the connection broke */
        if (reply / 100 == 5 && reply != REPLY_AUTH_REQUIRED && reply != REPLY_AUTH_TOO_WEAK &&
            reply != REPLY_AUTH_INVALID && reply != REPLY_AUTH_ENCRYPTED) {
            return MAIL_E_REFUSED;
        }
        return err_trace(-EIO);
    case CURLE_WEIRD_SERVER_REPLY: /* after the message; or a greeting that is none */
        return upload->begun && reply / 100 == 5 ? MAIL_E_REFUSED : err_trace(-EIO);
    case CURLE_LOGIN_DENIED:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return err_trace(-EACCES);
    default:
        return err_trace(-EIO);
    }
}

static void set_options(CURL *curl, const MailSmtpOptions *options) {
    curl_easy_setopt(curl, CURLOPT_URL, options->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USE_SSL,
                     (long)(options->plain ? CURLUSESSL_TRY : CURLUSESSL_ALL));
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
    if (options->ca_file[0] != '\0') {
        curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file);
    }
    if (options->user[0] != '\0') {
        curl_easy_setopt(curl, CURLOPT_USERNAME, options->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, options->password);
    }
}

static int transfer(const MailSmtp *self, const MailMessage *message, Str text) {
    CURL *curl = curl_easy_init();
    Upload upload = {.rest = text};
    struct curl_slist *to;
    int r;

    if (!curl || !(to = curl_slist_append(NULL, message->to))) {
        abort(); /* exhausted memory */
    }
    set_options(curl, &self->options);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, self->from.address);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_message);
    curl_easy_setopt(curl, CURLOPT_READDATA, &upload);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)text.len);
    r = judge(curl, curl_easy_perform(curl), &upload);
    curl_slist_free_all(to);
    curl_easy_cleanup(curl);
    return r;
}

static int smtp_send(Mailer *mailer, const MailMessage *message) {
    const MailSmtp *self = (const MailSmtp *)mailer;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    int r = mail_message_write(&self->from, message, &text);

    return r != 0 ? r : transfer(self, message, buf_str(&text));
}

static Mailer *smtp_free(Mailer *mailer) {
    MailSmtp *self = (MailSmtp *)mailer;

    curl_global_cleanup();
    arena_free(self->arena);
    free(self);
    return NULL;
}

static const char *copy(Arena *arena, const char *text) {
    return arena_strdup(arena, str_from(text));
}

int mail_smtp_new(const MailSmtpOptions *options, const MailSender *from, Mailer **ret_mailer) {
    static const MailerImpl impl = {smtp_send, smtp_free};
    Str url = str_from(options->url);
    MailSmtp *self;

    if ((!str_starts_with(url, str_lit("smtp://")) && !str_starts_with(url, str_lit("smtps://"))) ||
        strchr(options->url, '@')) {
        return -EINVAL;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return err_trace(-EIO);
    }
    self = calloc(1, sizeof(*self));
    if (!self) {
        abort();
    }
    self->mailer.impl = &impl;
    self->arena = arena_new();
    self->options = *options;
    self->options.url = copy(self->arena, options->url);
    self->options.user = copy(self->arena, options->user);
    self->options.password = copy(self->arena, options->password);
    self->options.ca_file = copy(self->arena, options->ca_file);
    self->from = (MailSender){copy(self->arena, from->name), copy(self->arena, from->address)};
    *ret_mailer = &self->mailer;
    return 0;
}
