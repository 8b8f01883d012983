/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_buffer.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/test.h"

#include <jansson.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define LINES   5000

/* Standard error goes into a memory file meanwhile. */
typedef struct Captured {
    int fd, saved;
} Captured;

static void capture(Captured *self) {
    self->saved = dup(STDERR_FILENO);
    assert_int_equal(fd_memory_new("log", &self->fd), 0);
    dup2(self->fd, STDERR_FILENO);
}

static size_t captured_len(const Captured *self) {
    struct stat about;

    assert_int_equal(fstat(self->fd, &about), 0);
    return (size_t)about.st_size;
}

static void give_back(Captured *self, Buf *ret_text) {
    dup2(self->saved, STDERR_FILENO);
    close(self->saved);
    lseek(self->fd, 0, SEEK_SET);
    assert_int_equal(fd_read_to_end(self->fd, SIZE_MAX / 2, ret_text), 0);
    close(self->fd);
}

static void *write_lines(void *userdata) {
    const int *number = userdata;

    for (int i = 0; i < LINES; i++) {
        log_info("line", LOG_INT("thread", *number), LOG_INT("i", i));
    }
    return NULL;
}

static void no_line_is_lost_or_torn(void **state) {
    pthread_t threads[THREADS];
    int numbers[THREADS], next[THREADS] = {0};
    _cleanup_(buf_done) Buf text = BUF_INIT;
    Captured captured;
    Str rest, line;

    (void)state;
    capture(&captured);
    assert_int_equal(log_buffer_start(), 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    log_buffer_end();
    give_back(&captured, &text);
    rest = buf_str(&text);
    while (str_next_token(&rest, "\n", &line) && line.len > 0) {
        _cleanup_(json_decrefp) json_t *json = json_loadb(line.ptr, line.len, 0, NULL);
        json_int_t thread = json_integer_value(json_object_get(json, "thread"));
        assert_non_null(json);
        assert_in_range(thread, 0, THREADS - 1);
        assert_int_equal(json_integer_value(json_object_get(json, "i")), next[thread]++);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(next[i], LINES);
    }
}

static void a_lone_line_and_a_warning_are_written_at_once(void **state) {
    _cleanup_(buf_done) Buf text = BUF_INIT;
    Captured captured;
    size_t len;

    (void)state;
    capture(&captured);
    assert_int_equal(log_buffer_start(), 0);
    log_warn("first");
    len = captured_len(&captured);
    assert_true(len > 0);
    log_info("second"); /* so soon that it may wait */
    log_warn("third");
    assert_true(captured_len(&captured) > len + 20);
    len = captured_len(&captured);
    log_info("fourth");
    while (captured_len(&captured) == len) { /* the thread writes it though nobody else comes */
        sched_yield();
    }
    log_buffer_end();
    log_info("fifth");
    give_back(&captured, &text);
    assert_non_null(strstr(text.data, "second"));
    assert_true(strstr(text.data, "second") < strstr(text.data, "third"));
    assert_non_null(strstr(text.data, "fifth"));
}

static void a_line_longer_than_the_buffer_passes(void **state) {
    _cleanup_(freep) char *filler = calloc(1, 2 * LOG_BUFFER_SIZE + 1);
    _cleanup_(buf_done) Buf text = BUF_INIT;
    Captured captured;

    (void)state;
    assert_non_null(filler);
    memset(filler, 'x', 2 * LOG_BUFFER_SIZE);
    capture(&captured);
    assert_int_equal(log_buffer_start(), 0);
    log_info("before");
    log_info("long", LOG_STR("text", filler));
    log_info("after");
    log_buffer_end();
    give_back(&captured, &text);
    assert_true(text.len > 2 * LOG_BUFFER_SIZE);
    assert_true(strstr(text.data, "before") < strstr(text.data, "\"long\""));
    assert_true(strstr(text.data, "xx\"}\n") < strstr(text.data, "after"));
}

/* In a child. */
static void die_of(int number) {
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    signal(number, SIG_DFL); /* cmocka has one of its own */
    if (log_buffer_start() < 0) {
        _exit(1);
    }
    log_warn("written");
    log_info("last words");
    raise(number);
    _exit(2);
}

static void a_fault_loses_nothing(void **state) {
    static const int faults[] = {SIGSEGV, SIGABRT, SIGBUS};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        _cleanup_(buf_done) Buf text = BUF_INIT;
        Captured captured;
        int status;
        pid_t pid;
        capture(&captured);
        pid = fork();
        if (pid == 0) {
            die_of(faults[i]);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        give_back(&captured, &text);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == faults[i]);
        assert_non_null(strstr(text.data, "last words"));
    }
}

/* What a reader of a pipe gets in one piece. */
static void a_pipe_gets_whole_lines(void **state) {
    int saved = dup(STDERR_FILENO), pipes[2];
    char bytes[65536];

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    assert_int_equal(log_buffer_start(), 0);
    for (int i = 0; i < 200; i++) {
        log_info("line", LOG_STR("text", "some text that makes it longer than a number"));
    }
    log_buffer_end();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipes[1]);
    for (ssize_t n; (n = read(pipes[0], bytes, sizeof(bytes))) > 0;) {
        assert_int_equal(bytes[n - 1], '\n');
    }
    close(pipes[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_line_is_lost_or_torn),
        cmocka_unit_test(a_lone_line_and_a_warning_are_written_at_once),
        cmocka_unit_test(a_line_longer_than_the_buffer_passes),
        cmocka_unit_test(a_fault_loses_nothing),
        cmocka_unit_test(a_pipe_gets_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
