/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The log: one JSON line an event on standard error, with a static message and typed fields.
 *   log_info("request done", LOG_STR("request_id", id), LOG_INT("status", 200));
 * Only service edges and app log; base, core, imaging, inference and adapters return errors (they
 * may log at debug). Never log a secret, a file name from outside at info, or prose built by
 * printf. Thread-safe: a line is one write(), unless log_buffer.h gathers them.
 */

#include <stdbool.h>
#include <stdint.h>

typedef enum LogLevel {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_OFF,
} LogLevel;

typedef enum LogType {
    LOG_TYPE_END,
    LOG_TYPE_STR,
    LOG_TYPE_INT,
    LOG_TYPE_DOUBLE,
    LOG_TYPE_BOOL,
} LogType;

typedef struct LogField {
    LogType type;
    const char *key;
    union {
        const char *str;
        int64_t integer;
        double number;
        bool boolean;
    };
} LogField;

#define LOG_STR(k, v)    ((LogField){.type = LOG_TYPE_STR, .key = (k), .str = (v)})
#define LOG_INT(k, v)    ((LogField){.type = LOG_TYPE_INT, .key = (k), .integer = (int64_t)(v)})
#define LOG_DOUBLE(k, v) ((LogField){.type = LOG_TYPE_DOUBLE, .key = (k), .number = (v)})
#define LOG_BOOL(k, v)   ((LogField){.type = LOG_TYPE_BOOL, .key = (k), .boolean = (v)})

/* The least level that is written (default info) and the word for this process in each line. */
void log_setup(LogLevel level, const char *process);
bool log_enabled(LogLevel level);
/* The level of a name ("debug" ... "off"); false when there is none of that name. */
bool log_level_parse(const char *name, LogLevel *ret_level);

/* `fields` ends with a LOG_TYPE_END. Strings that are not UTF-8 are written with replacements. */
void log_write(LogLevel level, const char *event, const LogField *fields);

#define log_at(level, event, ...)                                                                  \
    log_write((level), (event),                                                                    \
              (const LogField[]){__VA_ARGS__ __VA_OPT__(, ){.type = LOG_TYPE_END}})
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
