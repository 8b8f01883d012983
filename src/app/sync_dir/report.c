/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/report.h"

#include "app/terminal.h"
#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

#define REDRAW_US 100000

static const char clear_line[] = "\r\033[K";

void report_start(Report *report, bool quiet) {
    const char *term = getenv("TERM");

    *report = (Report){.quiet = quiet,
                       .line = !quiet && isatty(STDERR_FILENO) && term && term[0] &&
                               strcmp(term, "dumb") != 0};
    pthread_mutex_init(&report->lock, NULL);
}

void report_done(Report *report) {
    for (size_t i = 0; i < report->n_said; i++) {
        free(report->said[i]);
    }
    pthread_mutex_destroy(&report->lock);
}

static void clear(const Report *report) {
    if (report->line) {
        fputs(clear_line, stderr);
    }
}

static void draw(Report *report) {
    uint64_t now_us = clock_mono_us();

    if (report->line && report->done < report->due && now_us - report->drawn_us >= REDRAW_US) {
        fprintf(stderr, "%s%s %zu of %zu", clear_line, report->doing, report->done + 1,
                report->due);
        fflush(stderr);
        report->drawn_us = now_us;
    }
}

void report_due(Report *report, const char *doing, size_t n) {
    pthread_mutex_lock(&report->lock);
    report->doing = doing;
    report->due = n;
    report->done = 0;
    report->drawn_us = 0;
    if (n == 0) {
        clear(report);
        fflush(stderr);
    }
    draw(report);
    pthread_mutex_unlock(&report->lock);
}

void report_step(Report *report) {
    pthread_mutex_lock(&report->lock);
    report->done++;
    draw(report);
    pthread_mutex_unlock(&report->lock);
}

/* With the lock held. */
static void print(Report *report, const char *before, Str path, const char *after) {
    _cleanup_(buf_done) Buf name = BUF_INIT;

    buf_add_str(&name, path);
    clear(report);
    fputs(before, stderr);
    terminal_print(stderr, buf_cstr(&name));
    terminal_print(stderr, after);
    fputc('\n', stderr);
}

static void count(Report *report, size_t *counter, const char *before, Str path,
                  const char *after) {
    pthread_mutex_lock(&report->lock);
    (*counter)++;
    report->done++;
    if (!report->quiet) {
        print(report, before, path, after);
        draw(report);
    }
    pthread_mutex_unlock(&report->lock);
}

void report_sent(Report *report, Str path) {
    count(report, &report->sent, "sent      ", path, "");
}

void report_received(Report *report, Str path) {
    count(report, &report->received, "received  ", path, "");
}

void report_moved(Report *report, Str path, const char *what) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_addf(&text, " %s", what);
    count(report, &report->moved, "", path, buf_cstr(&text));
}

static void fail(Report *report, Str path, const char *why) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_addf(&text, ": %s", why);
    report->failed++;
    report->done++;
    print(report, "imagesync: ", path, buf_cstr(&text));
    draw(report);
}

void report_failed(Report *report, Str path, const char *why) {
    pthread_mutex_lock(&report->lock);
    fail(report, path, why);
    pthread_mutex_unlock(&report->lock);
}

/* Whether that was said before; notes it. With the lock held. */
static bool was_said(Report *report, const char *text) {
    for (size_t i = 0; i < report->n_said; i++) {
        if (strcmp(report->said[i], text) == 0) {
            return true;
        }
    }
    if (report->n_said < REPORT_ONCE_MAX) {
        char *own = strdup(text);
        if (!own) {
            abort();
        }
        report->said[report->n_said++] = own;
    }
    return false;
}

void report_failed_once(Report *report, Str path, const char *why) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_add_str(&text, path);
    buf_addf(&text, ": %s", why);
    pthread_mutex_lock(&report->lock);
    if (!was_said(report, text.data)) {
        fail(report, path, why);
    }
    pthread_mutex_unlock(&report->lock);
}

static void say(Report *report, const char *before, const char *format, va_list args) {
    pthread_mutex_lock(&report->lock);
    clear(report);
    fputs(before, stderr);
    terminal_printfv(stderr, format, args);
    fputc('\n', stderr);
    pthread_mutex_unlock(&report->lock);
}

void report_note(Report *report, const char *format, ...) {
    va_list args;

    va_start(args, format);
    say(report, "imagesync: ", format, args);
    va_end(args);
}

void report_calm(Report *report, const char *format, ...) {
    va_list args;

    va_start(args, format);
    if (!report->quiet) {
        say(report, "", format, args);
    }
    va_end(args);
}

void report_end(Report *report, int64_t n_left) {
    char left[48] = "";

    clear(report);
    if (n_left > 0) {
        snprintf(left, sizeof(left), ", %lld left to do", (long long)n_left);
    }
    if (!report->quiet) {
        fprintf(stderr, "%zu sent, %zu received, %zu moved, %zu failed%s\n", report->sent,
                report->received, report->moved, report->failed, left);
    }
}
