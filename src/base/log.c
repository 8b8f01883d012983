/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/log_buffer.h"
#include "base/macro.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define LINE_USUAL 512 /* bytes */

/* The one global of the program: where log lines go (log_buffer.h) and which are written. */
static struct {
    _Atomic int level;
    char process[16];
} sink = {.level = LOG_LEVEL_INFO, .process = "imagesync"};

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

void log_setup(LogLevel level, const char *process) {
    atomic_store(&sink.level, level);
    snprintf(sink.process, sizeof(sink.process), "%s", process);
}

bool log_enabled(LogLevel level) {
    return (int)level >= atomic_load_explicit(&sink.level, memory_order_relaxed);
}

bool log_level_parse(const char *name, LogLevel *ret_level) {
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *ret_level = (LogLevel)i;
            return true;
        }
    }
    return false;
}

/* How many bytes at the beginning are themselves in a JSON string. */
static size_t plain_len(Str text) {
    size_t len = 0;

    while (len < text.len && text.ptr[len] >= 0x20 && text.ptr[len] < 0x7f &&
           text.ptr[len] != '"' && text.ptr[len] != '\\') {
        len++;
    }
    return len;
}

static void add_json_string(Buf *line, const char *from) {
    Str text = str_from(from);

    buf_add_str(line, str_lit("\""));
    while (text.len > 0) {
        unsigned char c = (unsigned char)*text.ptr;
        size_t plain = plain_len(text), len = plain > 0 ? plain : str_utf8_sequence(text);
        if (len == 0) {
            buf_add_str(line, str_lit("\\ufffd"));
            len = 1;
        } else if (c == '"' || c == '\\') {
            buf_addf(line, "\\%c", c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_addf(line, "\\u%04x", c);
        } else {
            buf_add(line, text.ptr, len);
        }
        text = (Str){text.ptr + len, text.len - len};
    }
    buf_add_str(line, str_lit("\""));
}

/* At least so many digits. */
static void add_digits(Buf *line, uint64_t number, size_t least) {
    char text[24], *at = text + sizeof(text);

    while (number > 0 || text + sizeof(text) - at < (ptrdiff_t)least) {
        *--at = (char)('0' + number % 10);
        number /= 10;
    }
    buf_add(line, at, (size_t)(text + sizeof(text) - at));
}

static void add_integer(Buf *line, int64_t number) {
    if (number < 0) {
        buf_add_str(line, str_lit("-"));
    }
    add_digits(line, number < 0 ? -(uint64_t)number : (uint64_t)number, 1);
}

/* As "%.6g" has it. Most are times with three decimals, for which printf() takes long. */
static void add_double(Buf *line, double number) {
    double thousandths = number * 1000;
    uint64_t n;

    if (!isfinite(number)) {
        buf_add_str(line, str_lit("null"));
        return;
    }
    if (!(thousandths >= 1 && thousandths < 999999)) {
        buf_addf(line, "%.6g", number);
        return;
    }
    n = (uint64_t)(thousandths + 0.5);
    if (fabs(thousandths - (double)n) > 1e-6) {
        buf_addf(line, "%.6g", number);
        return;
    }
    add_digits(line, n / 1000, 1);
    if (n % 1000 > 0) {
        buf_add_str(line, str_lit("."));
        add_digits(line, n % 1000, 3);
        while (line->data[line->len - 1] == '0') {
            line->len--;
        }
    }
}

static void add_field(Buf *line, const LogField *field) {
    buf_add_str(line, str_lit(",\""));
    buf_add_str(line, str_from(field->key));
    buf_add_str(line, str_lit("\":"));
    switch (field->type) {
    case LOG_TYPE_STR:
        add_json_string(line, field->str ? field->str : "");
        break;
    case LOG_TYPE_INT:
        add_integer(line, field->integer);
        break;
    case LOG_TYPE_DOUBLE:
        add_double(line, field->number);
        break;
    case LOG_TYPE_BOOL:
        buf_add_str(line, field->boolean ? str_lit("true") : str_lit("false"));
        break;
    case LOG_TYPE_END:
        break;
    }
}

/* "2026-11-29T16:04:05.678Z". By hand, since gmtime_r() takes a lock; the days are counted as in
 * "chrono-Compatible Low-Level Date Algorithms", civil_from_days(). */
static void add_time(Buf *line, const struct timespec *now) {
    uint64_t seconds = (uint64_t)now->tv_sec, days = seconds / 86400 + 719468,
             in_day = seconds % 86400;
    uint64_t era = days / 146097, of_era = days % 146097;
    uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t from_march = (5 * of_year + 2) / 153;
    uint64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    const struct {
        uint64_t number;
        size_t digits;
        Str after;
    } parts[] = {{year_of_era + era * 400 + (month <= 2), 4, str_lit("-")},
                 {month, 2, str_lit("-")},
                 {of_year - (153 * from_march + 2) / 5 + 1, 2, str_lit("T")},
                 {in_day / 3600, 2, str_lit(":")},
                 {in_day / 60 % 60, 2, str_lit(":")},
                 {in_day % 60, 2, str_lit(".")},
                 {(uint64_t)now->tv_nsec / 1000000, 3, str_lit("Z")}};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        add_digits(line, parts[i].number, parts[i].digits);
        buf_add_str(line, parts[i].after);
    }
}

void log_write(LogLevel level, const char *event, const LogField *fields) {
    _cleanup_(buf_done) Buf line = BUF_INIT;
    struct timespec now;

    if (!log_enabled(level) || level >= LOG_LEVEL_OFF) {
        return;
    }
    buf_reserve(&line, LINE_USUAL);
    clock_gettime(CLOCK_REALTIME, &now);
    buf_add_str(&line, str_lit("{\"time\":\""));
    add_time(&line, &now);
    buf_add_str(&line, str_lit("\",\"level\":\""));
    buf_add_str(&line, str_from(level_names[level]));
    buf_add_str(&line, str_lit("\",\"process\":\""));
    buf_add_str(&line, str_from(sink.process));
    buf_add_str(&line, str_lit("\",\"event\":"));
    add_json_string(&line, event);
    for (; fields->type != LOG_TYPE_END; fields++) {
        add_field(&line, fields);
    }
    buf_add_str(&line, str_lit("}\n"));
    log_buffer_write(buf_str(&line), level >= LOG_LEVEL_WARN);
}
