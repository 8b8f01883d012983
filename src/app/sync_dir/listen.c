/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/listen.h"

#include "base/crypto/random.h"
#include "base/error.h"
#include "base/fd.h"

#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FIRST_MS   1000u
#define LONGEST_MS 300000u
#define SILENCE_S  70 /* the server's heartbeat comes every 25 s */

typedef struct Ear {
    Listener *listener;
    bool heard, within_line;
} Ear;

uint32_t backoff_ms(unsigned n) {
    uint32_t longest = FIRST_MS, chance = 0;

    for (unsigned i = 1; i < n && longest < LONGEST_MS; i++) {
        longest *= 2;
    }
    longest = MIN(longest, LONGEST_MS);
    random_bytes(&chance, sizeof(chance));
    return longest / 2 + chance % (longest / 2);
}

static void ring(Listener *listener) {
    uint64_t one = 1;

    (void)!write(listener->bell_fd, &one, sizeof(one));
}

/* A line that begins with a colon is a comment, which is what heartbeats are (HTML, 9.2.6); any
 * other that says something is news. So is that the stream is there. */
static int hear(void *userdata, unsigned status, Str bytes) {
    Ear *ear = userdata;
    bool is_news = !ear->heard;

    (void)status;
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];
        is_news = is_news || (!ear->within_line && c != ':' && c != '\r' && c != '\n');
        ear->within_line = c != '\r' && c != '\n';
    }
    atomic_store(&ear->listener->deaf, false);
    if (is_news) {
        ring(ear->listener);
    }
    ear->heard = true;
    return 0;
}

static void *listen_thread(void *userdata) {
    Listener *listener = userdata;
    struct pollfd stop = {.fd = listener->stop_fd, .events = POLLIN};
    unsigned n_tries = 0;
    SyncLink link;
    int r;

    sync_link_open(&link, listener->server);
    do {
        Ear ear = {.listener = listener};
        char path[64];
        const SyncLinkCall call = {.method = "GET",
                                   .path = path,
                                   .headers = {"Accept: text/event-stream"},
                                   .write = hear,
                                   .userdata = &ear,
                                   .silence_s = SILENCE_S};
        SyncLinkAnswer answer = {0};

        snprintf(path, sizeof(path), "/v1/changes/stream?since=%lld",
                 (long long)atomic_load(&listener->cursor));
        sync_link_reset(&link);
        r = sync_link_call(&link, &call, &answer);
        if (r == SYNC_LINK_E_SIGNED_OUT || (r == 0 && answer.status == 410)) {
            ring(listener); /* or a cursor that is too old: whoever asks for changes sees to it */
        }
        if (r >= 0 && !ear.heard && !atomic_exchange(&listener->deaf, true)) {
            ring(listener); /* from now on it has to look by itself */
        }
        sync_link_answer_done(&answer);
        n_tries = ear.heard ? 1 : n_tries + 1;
    } while (r != -EINTR && poll(&stop, 1, (int)backoff_ms(n_tries)) == 0);
    sync_link_close(&link);
    return NULL;
}

int listener_start(Listener *listener, SyncLinkServer *server) {
    int r;

    listener->server = server;
    listener->stop_fd = server->stop_fd;
    listener->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (listener->bell_fd < 0) {
        return err_errno();
    }
    r = pthread_create(&listener->thread, NULL, listen_thread, listener);
    listener->runs = r == 0;
    return -r;
}

void listener_join(Listener *listener) {
    if (listener->runs) {
        pthread_join(listener->thread, NULL);
        listener->runs = false;
    }
    listener->bell_fd = fd_close(listener->bell_fd);
}

bool listener_take(Listener *listener) {
    uint64_t n;

    return listener->bell_fd >= 0 && read(listener->bell_fd, &n, sizeof(n)) > 0;
}
