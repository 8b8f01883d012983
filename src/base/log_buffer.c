/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_buffer.h"

#include "base/clock.h"
#include "base/error.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Part of the log's sink, the one global of the program: standard error is one, too. */
static struct {
    atomic_bool gathering;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t filled;
    pthread_t thread;
    bool ending;      /* or ended */
    size_t chunk_max; /* of one write() */
    uint64_t written_ms;
    _Atomic size_t len; /* written under the lock, read also by the handler of signals */
    char bytes[LOG_BUFFER_SIZE];
} gathered = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A log that cannot be written must not stop the work: what is refused is lost. */
static void write_out(Str bytes) {
    while (bytes.len > 0) {
        ssize_t n = write(STDERR_FILENO, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR) {
            return;
        }
        n = MAX(n, 0);
        bytes = (Str){bytes.ptr + n, bytes.len - (size_t)n};
    }
}

/* Whole lines of at most `max` bytes, or one longer line. */
static Str next_chunk(Str bytes, size_t max) {
    const char *end = memrchr(bytes.ptr, '\n', MIN(bytes.len, max));

    if (bytes.len <= max) {
        return bytes;
    }
    if (!end) {
        end = memchr(bytes.ptr, '\n', bytes.len);
    }
    return (Str){bytes.ptr, end ? (size_t)(end - bytes.ptr) + 1 : bytes.len};
}

/* With the lock held. */
static void flush(void) {
    Str rest = {gathered.bytes, atomic_load(&gathered.len)};

    while (rest.len > 0) {
        Str chunk = next_chunk(rest, gathered.chunk_max);
        write_out(chunk);
        rest = (Str){rest.ptr + chunk.len, rest.len - chunk.len};
    }
    atomic_store(&gathered.len, 0);
    gathered.written_ms = clock_mono_ms();
}

static void *flush_late(void *userdata) {
    const struct timespec delay = {.tv_nsec = LOG_BUFFER_DELAY_MS * 1000000L / 2};

    (void)userdata;
    pthread_setname_np(pthread_self(), "log");
    pthread_mutex_lock(&gathered.lock);
    while (!gathered.ending) {
        if (atomic_load(&gathered.len) == 0) {
            pthread_cond_wait(&gathered.filled, &gathered.lock);
            continue;
        }
        pthread_mutex_unlock(&gathered.lock);
        clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, NULL);
        pthread_mutex_lock(&gathered.lock);
        flush();
    }
    pthread_mutex_unlock(&gathered.lock);
    return NULL;
}

/* The lock may be held by whoever is interrupted, so it is not asked for: a line may come twice. */
static void write_last(int number) {
    write_out((Str){gathered.bytes, atomic_load(&gathered.len)});
    raise(number); /* as it would have been: the handler is gone */
}

static void catch_faults(bool catching) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
    struct sigaction ours = {.sa_handler = write_last, .sa_flags = SA_RESETHAND | SA_ONSTACK};
    struct sigaction none = {.sa_handler = SIG_DFL}, there;

    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        /* A sanitizer's own stays. */
        if (sigaction(faults[i], NULL, &there) == 0 &&
            there.sa_handler == (catching ? SIG_DFL : write_last)) {
            sigaction(faults[i], catching ? &ours : &none, NULL);
        }
    }
}

int log_buffer_start(void) {
    struct stat about;
    int r;

    /* What fits is written to a pipe in one piece, between whatever other processes write there. */
    gathered.chunk_max =
        fstat(STDERR_FILENO, &about) == 0 && S_ISREG(about.st_mode) ? LOG_BUFFER_SIZE : PIPE_BUF;
    gathered.ending = false;
    pthread_cond_init(&gathered.filled, NULL);
    r = pthread_create(&gathered.thread, NULL, flush_late, NULL);
    if (r != 0) {
        pthread_cond_destroy(&gathered.filled);
        return err_trace(-r);
    }
    atomic_store(&gathered.gathering, true);
    catch_faults(true);
    return 0;
}

void log_buffer_end(void) {
    if (!atomic_exchange(&gathered.gathering, false)) {
        return;
    }
    pthread_mutex_lock(&gathered.lock);
    gathered.ending = true;
    pthread_cond_signal(&gathered.filled);
    pthread_mutex_unlock(&gathered.lock);
    pthread_join(gathered.thread, NULL);
    pthread_mutex_lock(&gathered.lock);
    flush();
    pthread_mutex_unlock(&gathered.lock);
    pthread_cond_destroy(&gathered.filled);
    catch_faults(false);
}

/* With the lock held, for as many bytes as fit. */
static void gather(Str line, bool at_once) {
    size_t len;

    if (atomic_load(&gathered.len) + line.len > LOG_BUFFER_SIZE) {
        flush();
    }
    len = atomic_load(&gathered.len);
    memcpy(gathered.bytes + len, line.ptr, line.len);
    atomic_store(&gathered.len, len + line.len);
    if (at_once || gathered.ending ||
        clock_mono_ms() - gathered.written_ms >= LOG_BUFFER_DELAY_MS) {
        flush();
    } else if (len == 0) {
        pthread_cond_signal(&gathered.filled);
    }
}

void log_buffer_write(Str line, bool at_once) {
    if (!atomic_load_explicit(&gathered.gathering, memory_order_acquire)) {
        write_out(line);
        return;
    }
    pthread_mutex_lock(&gathered.lock);
    if (line.len > LOG_BUFFER_SIZE) {
        flush();
        write_out(line);
    } else {
        gather(line, at_once);
    }
    pthread_mutex_unlock(&gathered.lock);
}
