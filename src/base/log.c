/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/macro.h"
#include "base/str.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The one global of the program: where log lines go and which are written. */
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

static void add_json_string(Buf *line, const char *text) {
    size_t left = strlen(text);

    buf_add_str(line, str_lit("\""));
    while (left > 0) {
        unsigned char c = (unsigned char)*text;
        size_t len = str_utf8_sequence((Str){text, left});
        if (len == 0) {
            buf_add_str(line, str_lit("\\ufffd"));
            len = 1;
        } else if (c == '"' || c == '\\') {
            buf_addf(line, "\\%c", c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_addf(line, "\\u%04x", c);
        } else {
            buf_add(line, text, len);
        }
        text += len;
        left -= len;
    }
    buf_add_str(line, str_lit("\""));
}

static void add_field(Buf *line, const LogField *field) {
    buf_addf(line, ",\"%s\":", field->key);
    switch (field->type) {
    case LOG_TYPE_STR:
        add_json_string(line, field->str ? field->str : "");
        break;
    case LOG_TYPE_INT:
        buf_addf(line, "%lld", (long long)field->integer);
        break;
    case LOG_TYPE_DOUBLE:
        if (isfinite(field->number)) {
            buf_addf(line, "%.6g", field->number);
        } else {
            buf_add_str(line, str_lit("null"));
        }
        break;
    case LOG_TYPE_BOOL:
        buf_addf(line, "%s", field->boolean ? "true" : "false");
        break;
    case LOG_TYPE_END:
        break;
    }
}

void log_write(LogLevel level, const char *event, const LogField *fields) {
    _cleanup_(buf_done) Buf line = BUF_INIT;
    struct timespec now;
    struct tm utc;
    char stamp[32];

    if (!log_enabled(level) || level >= LOG_LEVEL_OFF) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    buf_addf(&line, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"process\":\"%s\",\"event\":", stamp,
             now.tv_nsec / 1000000, level_names[level], sink.process);
    add_json_string(&line, event);
    for (; fields->type != LOG_TYPE_END; fields++) {
        add_field(&line, fields);
    }
    buf_add_str(&line, str_lit("}\n"));
    /* A log that cannot be written must not stop the work. */
    if (write(STDERR_FILENO, line.data, line.len) < 0) {
        return;
    }
}
