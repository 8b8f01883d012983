/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/mail/message.h"

#include "base/clock.h"
#include "base/error.h"

#include <sys/random.h>
#include <time.h>

/* With "Subject: =?UTF-8?Q?" and "?=" a line of 75, of the 76 that RFC 2047, section 2 allows. */
#define WORD_TEXT_MAX 54
#define PLAIN_MAX     66  /* "Subject: " and this need no folding */
#define LINE_MAX_7BIT 998 /* RFC 5322, section 2.1.1 */
#define LINE_MAX_QP   75  /* and the soft line break: RFC 2045, section 6.7 */

static bool is_control(char c) {
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool has_control(const char *text) {
    for (; *text; text++) {
        if (is_control(*text)) {
            return true;
        }
    }
    return false;
}

bool mail_address_is_valid(const char *address) {
    const char *at = strchr(address, '@');
    size_t len = strlen(address);

    if (!at || at == address || at[1] == '\0' || strchr(at + 1, '@') ||
        len > MAIL_ADDRESS_LEN_MAX || has_control(address) || !str_is_utf8(str_from(address))) {
        return false;
    }
    /* A leading '-' or '.' would be odd but harmless: nothing here is a command line. */
    return !strpbrk(address, " \"(),:;<>[\\]");
}

int mail_sender_parse(const char *text, Arena *arena, MailSender *ret_sender) {
    Str all = str_trim(str_from(text));
    const char *open = all.len > 0 ? memchr(all.ptr, '<', all.len) : NULL;
    MailSender sender = {.name = ""};

    if (!open) {
        sender.address = arena_strdup(arena, all);
    } else if (all.ptr[all.len - 1] == '>') {
        size_t before = (size_t)(open - all.ptr);
        sender.name = arena_strdup(arena, str_trim((Str){all.ptr, before}));
        sender.address = arena_strdup(arena, (Str){open + 1, all.len - before - 2});
    } else {
        return -EINVAL;
    }
    if (!mail_address_is_valid(sender.address) || has_control(sender.name) ||
        !str_is_utf8(str_from(sender.name))) {
        return -EINVAL;
    }
    *ret_sender = sender;
    return 0;
}

static bool is_plain(const char *text) {
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if (is_control(text[i]) || (unsigned char)text[i] >= 0x80) {
            return false;
        }
    }
    /* One that looks like an encoded word, or that would need folding, is encoded. */
    return len <= PLAIN_MAX && !strstr(text, "=?") && str_trim(str_from(text)).len == len;
}

static bool is_literal_in_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           strchr("!*+-/", c);
}

/* RFC 2047 with the Q encoding; no character is cut in two. */
static void add_words(Buf *out, const char *text) {
    Str rest = str_from(text);
    size_t used = WORD_TEXT_MAX + 1; /* as if a word were full */

    while (rest.len > 0) {
        size_t n = str_utf8_sequence(rest);
        size_t cost = rest.ptr[0] == ' ' || is_literal_in_word(rest.ptr[0]) ? 1 : 3 * n;
        if (used + cost > WORD_TEXT_MAX) {
            buf_add_str(out, used > WORD_TEXT_MAX ? str_lit("=?UTF-8?Q?")
                                                  : str_lit("?=\r\n =?UTF-8?Q?"));
            used = 0;
        }
        if (rest.ptr[0] == ' ') {
            buf_add_str(out, str_lit("_"));
        } else if (cost == 1) {
            buf_add(out, rest.ptr, 1);
        } else {
            for (size_t i = 0; i < n; i++) {
                buf_addf(out, "=%02X", (unsigned char)rest.ptr[i]);
            }
        }
        used += cost;
        rest = (Str){rest.ptr + n, rest.len - n};
    }
    buf_add_str(out, str_lit("?="));
}

static void add_text_header(Buf *out, const char *name, const char *text) {
    buf_addf(out, "%s: ", name);
    if (is_plain(text)) {
        buf_add_str(out, str_from(text));
    } else {
        add_words(out, text);
    }
    buf_add_str(out, str_lit("\r\n"));
}

static void add_from(Buf *out, const MailSender *from) {
    if (from->name[0] == '\0') {
        buf_addf(out, "From: %s\r\n", from->address);
    } else if (is_plain(from->name) && !strpbrk(from->name, "\"\\")) {
        buf_addf(out, "From: \"%s\" <%s>\r\n", from->name, from->address);
    } else {
        buf_add_str(out, str_lit("From: "));
        add_words(out, from->name);
        buf_addf(out, "\r\n <%s>\r\n", from->address);
    }
}

static void add_date_and_id(Buf *out, const char *from_address) {
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)clock_unix_s();
    uint64_t random[2];
    struct tm utc;

    gmtime_r(&now, &utc);
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        abort();
    }
    buf_addf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n", days[utc.tm_wday], utc.tm_mday,
             months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    buf_addf(out, "Message-ID: <%016llx%016llx%s>\r\n", (unsigned long long)random[0],
             (unsigned long long)random[1], strchr(from_address, '@'));
}

/* The next line of the text without its end, which may be LF or CR LF. */
static bool next_line(Str *rest, Str *ret_line) {
    if (rest->len == 0 || !str_next_token(rest, "\n", ret_line)) {
        return false;
    }
    if (ret_line->len > 0 && ret_line->ptr[ret_line->len - 1] == '\r') {
        ret_line->len--;
    }
    return true;
}

static bool fits_7bit(const char *text) {
    Str rest = str_from(text), line;

    while (next_line(&rest, &line)) {
        if (line.len > LINE_MAX_7BIT) {
            return false;
        }
        for (size_t i = 0; i < line.len; i++) {
            if ((is_control(line.ptr[i]) && line.ptr[i] != '\t') ||
                (unsigned char)line.ptr[i] >= 0x80) {
                return false;
            }
        }
    }
    return true;
}

static void add_7bit(Buf *out, const char *text) {
    Str rest = str_from(text), line;

    while (next_line(&rest, &line)) {
        buf_add_str(out, line);
        buf_add_str(out, str_lit("\r\n"));
    }
}

static void add_quoted_line(Buf *out, Str line) {
    size_t used = 0;

    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        bool blank = c == ' ' || c == '\t';
        bool literal = (c > ' ' && c < 0x7f && c != '=') || (blank && i + 1 < line.len);
        if (used + (literal ? 1 : 3) > LINE_MAX_QP) {
            buf_add_str(out, str_lit("=\r\n"));
            used = 0;
        }
        if (literal) {
            buf_add(out, &c, 1);
        } else {
            buf_addf(out, "=%02X", c);
        }
        used += literal ? 1 : 3;
    }
    buf_add_str(out, str_lit("\r\n"));
}

static void add_quoted_printable(Buf *out, const char *text) {
    Str rest = str_from(text), line;

    while (next_line(&rest, &line)) {
        add_quoted_line(out, line);
    }
}

int mail_message_write(const MailSender *from, const MailMessage *message, Buf *out) {
    bool plain = fits_7bit(message->text);

    if (!mail_address_is_valid(message->to) || has_control(message->subject) ||
        !str_is_utf8(str_from(message->subject)) || !str_is_utf8(str_from(message->text))) {
        return MAIL_E_REFUSED;
    }
    add_date_and_id(out, from->address);
    add_from(out, from);
    buf_addf(out, "To: %s\r\n", message->to);
    add_text_header(out, "Subject", message->subject);
    /* RFC 3834: nobody's absence notice is to answer. */
    buf_addf(out,
             "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
             "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n",
             plain ? "7bit" : "quoted-printable");
    if (plain) {
        add_7bit(out, message->text);
    } else {
        add_quoted_printable(out, message->text);
    }
    return 0;
}
