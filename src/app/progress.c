/* SPDX-License-Identifier: Apache-2.0 */
#include "app/progress.h"

#include "app/terminal.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_US 100000
#define BAR_MAX   40
#define TEXT_MAX  46 /* columns of what is said beside the bar */

static const char clear_line[] = "\r\033[K";

/* Whether standard error is a terminal that knows what clear_line says. */
static bool can_redraw(void) {
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && term && term[0] && strcmp(term, "dumb") != 0;
}

void progress_start(Progress *progress, const ProgressOptions *options) {
    *progress = (Progress){
        .options = *options, .bar = !options->quiet && can_redraw(), .started_us = clock_mono_us()};
}

static double elapsed_s(const Progress *progress) {
    return (double)(clock_mono_us() - progress->started_us) / 1e6;
}

static void draw_bar(Progress *progress) {
    size_t ended = progress->done + progress->failed, total = progress->options.total;
    double seconds = elapsed_s(progress);
    struct winsize size = {0};
    size_t width, filled;
    char cells[BAR_MAX + 1];

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0) {
        size.ws_col = 80;
    }
    width = size.ws_col > TEXT_MAX ? MIN((size_t)size.ws_col - TEXT_MAX, (size_t)BAR_MAX) : 0;
    filled = total > 0 ? width * ended / total : 0;
    memset(cells, '#', filled);
    memset(cells + filled, '.', width - filled);
    cells[width] = '\0';
    fprintf(stderr, width > 0 ? "%s[%s] " : "%s%s", clear_line, cells);
    fprintf(stderr, "%zu/%zu  %.0f s", ended, total, seconds);
    if (progress->done > 0 && ended < total) {
        fprintf(stderr, ", about %.0f s left",
                seconds / (double)progress->done * (double)(total - ended));
    }
    fflush(stderr);
    progress->drawn_us = clock_mono_us();
}

void progress_tick(Progress *progress) {
    if (progress->bar && clock_mono_us() - progress->drawn_us >= REDRAW_US) {
        draw_bar(progress);
    }
}

/* Names of files may be any bytes; JSON may not. */
static json_t *json_name(const char *name) {
    _cleanup_(buf_done) Buf safe = BUF_INIT;
    json_t *text = json_string(name);

    if (text) {
        return text;
    }
    for (; *name; name++) {
        if ((unsigned char)*name < 0x80) {
            buf_add(&safe, name, 1);
        } else {
            buf_add_str(&safe, str_lit("\xef\xbf\xbd"));
        }
    }
    return json_string(buf_cstr(&safe));
}

static void print_json(const ProgressEvent *event) {
    const RenderTimings *t = &event->timings;
    _cleanup_(json_decrefp) json_t *line = json_object();
    _cleanup_(freep) char *text = NULL;

    json_object_set_new(line, "input", json_name(event->input));
    json_object_set_new(line, "output", event->output ? json_name(event->output) : json_null());
    json_object_set_new(line, "status", json_string(event->status));
    if (event->detail) {
        json_object_set_new(line, "detail", json_name(event->detail));
    } else {
        json_object_set_new(line, "width", json_integer(event->width));
        json_object_set_new(line, "height", json_integer(event->height));
        json_object_set_new(line, "timings_ms",
                            json_pack("{s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "queue", t->queue, "decode",
                                      t->decode, "inference", t->inference, "refine", t->refine,
                                      "compose", t->compose, "encode", t->encode, "total",
                                      t->total));
    }
    text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
    printf("%s\n", text ? text : "{}");
    fflush(stdout);
}

void progress_event(Progress *progress, const ProgressEvent *event) {
    const RenderTimings *t = &event->timings;
    RenderTimings *sum = &progress->sum;

    if (event->detail) {
        progress->failed++;
    } else {
        progress->done++;
        sum->queue += t->queue;
        sum->decode += t->decode;
        sum->inference += t->inference;
        sum->refine += t->refine;
        sum->compose += t->compose;
        sum->encode += t->encode;
        sum->total += t->total;
    }
    if (progress->options.json) {
        print_json(event);
    }
    if (progress->bar) {
        fputs(clear_line, stderr);
    }
    if (event->detail) {
        fputs("imagesync: ", stderr);
        terminal_print(stderr, event->input);
        fputs(": ", stderr);
        terminal_print(stderr, event->detail);
        fputc('\n', stderr);
    } else if (!progress->options.quiet && !progress->options.json) {
        terminal_print(stderr, event->input);
        fputs(" -> ", stderr);
        terminal_print(stderr, event->output);
        fprintf(stderr, "  %ux%u  %.2f s\n", event->width, event->height,
                (t->total - t->queue) / 1000);
    }
    if (progress->bar) {
        draw_bar(progress);
    }
}

void progress_end(Progress *progress, bool interrupted) {
    size_t ended = progress->done + progress->failed;
    double seconds = elapsed_s(progress), n = (double)MAX(progress->done, (size_t)1);
    const RenderTimings *sum = &progress->sum;

    if (progress->bar) {
        fputs(clear_line, stderr);
    }
    if (interrupted) {
        fprintf(stderr, "imagesync: interrupted; %zu of %zu pictures were done\n", progress->done,
                progress->options.total);
        return;
    }
    if (progress->options.quiet) {
        return;
    }
    fprintf(stderr, "%zu of %zu pictures in %.2f s (%.2f images/s)\n", progress->done, ended,
            seconds, (double)progress->done / MAX(seconds, 1e-3));
    if (progress->done > 0) {
        fprintf(stderr,
                "each: wait %.0f ms, decode %.0f ms, model %.0f ms, refine %.0f ms, "
                "compose %.0f ms, encode %.0f ms\n",
                sum->queue / n, sum->decode / n, sum->inference / n, sum->refine / n,
                sum->compose / n, sum->encode / n);
    }
}
