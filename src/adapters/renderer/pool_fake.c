/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A stand-in for the binary in tests of the pool: plays both roles and does what the first bytes of
 * the picture say, for example "ok", "hang", "wrong-id", or "once:FILE:crash", which crashes unless
 * FILE is there already, and creates it. A word that starts with "model-" is for the inference.
 */

#include "base/fd.h"
#include "base/ipc.h"
#include "core/contracts/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIDE     16
#define WORD_MAX 200

static void say(const ChildMessage *message, const int *fds, size_t n) {
    json_t *json = child_message_write(message);

    if (ipc_send(CHILD_SOCKET, json, fds, n) < 0) {
        _exit(1);
    }
    json_decref(json);
}

static void hear(Arena *arena, ChildMessage *message, IpcPacket *packet) {
    if (ipc_recv(CHILD_SOCKET, packet) != 0 ||
        child_message_read(packet->json, arena, message) < 0) {
        _exit(0);
    }
}

static bool is(const char *word, const char *what) {
    return strcmp(word, what) == 0;
}

/* What is to be done now: the word itself, or "ok" when its file says that it was done. */
static const char *resolve(const char *word) {
    static char path[WORD_MAX];
    const char *colon;

    if (strncmp(word, "once:", 5) != 0) {
        return word;
    }
    colon = strrchr(word, ':');
    snprintf(path, sizeof(path), "%.*s", (int)(colon - word - 5), word + 5);
    return open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) < 0 ? "ok" : colon + 1;
}

static void hang(void) {
    for (;;) {
        pause();
    }
}

static void spin(void) {
    for (volatile uint64_t i = 0;; i = i + 1) {
    }
}

static void write_output(const char *word, int fd, ChildMessage *done) {
    if (fd_write_all(fd, "result", 6) < 0) {
        _exit(1);
    }
    if (is(word, "mapped")) {
        if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED) {
            _exit(1);
        }
    } else if (is(word, "short")) {
        done->output_len = 7;
    } else if (is(word, "wrong-id")) {
        done->id++;
    }
}

static void speak_raw(const char *word) {
    static char big[IPC_PACKET_MAX + 100];

    if (is(word, "oversized")) {
        memset(big, ' ', sizeof(big));
        send(CHILD_SOCKET, big, sizeof(big), 0);
    } else if (is(word, "garbage")) {
        send(CHILD_SOCKET, "{{", 2, 0);
    } else if (is(word, "unknown-op")) {
        send(CHILD_SOCKET, "{\"op\":\"launch\"}", 15, 0);
    } else if (is(word, "ready-again")) {
        say(&(ChildMessage){.op = CHILD_READY}, NULL, 0);
    } else if (is(word, "closed")) {
        close(CHILD_SOCKET);
    } else if (is(word, "crash")) {
        raise(SIGKILL);
    } else if (is(word, "spin")) {
        spin();
    } else {
        return;
    }
    hang();
}

static void find_matte(Arena *arena, const ChildMessage *job, int tensor, const char *word) {
    TensorLayout layout = tensor_layout(job->model_width, job->model_height);
    char *base = mmap(NULL, layout.size, PROT_READ | PROT_WRITE, MAP_SHARED, tensor, 0);
    IpcPacket packet = IPC_PACKET_INIT;
    ChildMessage answer;

    memset(base, 0, layout.size);
    snprintf(base, WORD_MAX, "%s", word);
    say(&(ChildMessage){.op = CHILD_MATTE, .id = job->id}, NULL, 0);
    if (is(word, "matte-twice")) {
        say(&(ChildMessage){.op = CHILD_MATTE, .id = job->id}, NULL, 0);
    }
    hear(arena, &answer, &packet);
    ipc_packet_done(&packet);
    munmap(base, layout.size);
    if (answer.status != RENDER_OK) {
        say(&(ChildMessage){.op = CHILD_REFUSED, .id = job->id, .status = RENDER_FAULT}, NULL, 0);
    }
}

static void render(Arena *arena, const ChildMessage *job, const IpcPacket *packet) {
    ChildMessage done = {.op = CHILD_DONE,
                         .id = job->id,
                         .info = {.width = 1, .height = 1, .pages = 1, .memory = 1},
                         .output_len = 6,
                         .format = OUTPUT_FORMAT_PNG,
                         .width = 1,
                         .height = 1,
                         .input_width = 1,
                         .input_height = 1};
    char word[WORD_MAX] = {0};
    const char *what = word;

    if (fd_pread_all(packet->fds[0], word, MIN(job->input_len, sizeof(word) - 1),
                     job->input_offset) < 0) {
        _exit(1);
    }
    if (strncmp(word, "model-", 6) != 0) {
        what = resolve(word);
    }
    if (is(what, "hang")) {
        hang();
    }
    speak_raw(what);
    if (is(what, "no-subject")) {
        say(&(ChildMessage){.op = CHILD_REFUSED,
                            .id = job->id,
                            .status = RENDER_NO_FOREGROUND,
                            .detail = "nobody"},
            NULL, 0);
        return;
    }
    if (job->recipe.square == 0 || is(what, "matte-anyway")) {
        find_matte(arena, job, packet->fds[1], what);
    }
    if (job->has_background) {
        char behind[WORD_MAX] = {0};
        if (packet->n_fds != 4 ||
            fd_pread_all(packet->fds[3], behind, job->background_len, job->background_offset) < 0 ||
            !is(behind, "behind")) {
            _exit(1);
        }
    }
    write_output(what, packet->fds[2], &done);
    say(&done, packet->fds, is(what, "with-fd") ? 1 : 0);
}

/* Two results; the word says what is wrong with the second, or with all of it. */
static void ingest(const ChildMessage *job, const IpcPacket *packet) {
    ChildFile file = {.len = 6, .format = OUTPUT_FORMAT_JPEG, .width = 2, .height = 3};
    ChildMessage done = {.op = CHILD_INGESTED,
                         .id = job->id,
                         .info = {.width = 2, .height = 3, .pages = 1, .memory = 1},
                         .photo = {.orientation = 6, .make = "Fake"},
                         .hash_high = 0xfedcba98,
                         .hash_low = 0x76543210,
                         .mezzanine = file,
                         .thumbnail = file};
    char word[WORD_MAX] = {0};
    const char *what;

    if (packet->n_fds != 3 ||
        fd_pread_all(packet->fds[0], word, MIN(job->input_len, sizeof(word) - 1),
                     job->input_offset) < 0) {
        _exit(1);
    }
    what = resolve(word);
    if (is(what, "hang")) {
        hang();
    }
    speak_raw(what);
    if (fd_write_all(packet->fds[1], "mezzan", 6) < 0) {
        _exit(1);
    }
    done.output_len = 6;
    write_output(what, packet->fds[2], &done);
    done.thumbnail.len = done.output_len;
    if (is(what, "too-wide")) {
        done.thumbnail.width = job->ingest.thumbnail_max + 1;
    } else if (is(what, "auto")) {
        done.mezzanine.format = OUTPUT_FORMAT_AUTO;
    } else if (is(what, "done")) {
        done.op = CHILD_DONE;
        done.format = OUTPUT_FORMAT_PNG;
        done.width = done.height = done.input_width = done.input_height = 1;
    } else if (is(what, "matte")) {
        say(&(ChildMessage){.op = CHILD_MATTE, .id = job->id}, NULL, 0);
        hang();
    }
    say(&done, NULL, 0);
}

/* A film; or an answer to something else. */
static void describe_film(const ChildMessage *job, const IpcPacket *packet) {
    ChildMessage described = {.op = CHILD_DESCRIBED,
                              .id = job->id,
                              .film = {.width = 4, .height = 3, .duration_ms = 1500},
                              .photo = {.orientation = 1, .make = "Fake"}};
    char word[WORD_MAX] = {0};
    const char *what;

    if (packet->n_fds != 1 ||
        fd_pread_all(packet->fds[0], word, MIN(job->input_len, sizeof(word) - 1),
                     job->input_offset) < 0) {
        _exit(1);
    }
    what = resolve(word);
    if (is(what, "probed")) {
        described = (ChildMessage){.op = CHILD_PROBED,
                                   .id = job->id,
                                   .info = {.width = 2, .height = 3, .pages = 1, .memory = 1}};
    }
    say(&described, NULL, 0);
}

static void probe(const ChildMessage *job, const IpcPacket *packet) {
    ChildMessage refused = {.op = CHILD_REFUSED, .id = job->id, .status = RENDER_UNREADABLE};
    ChildMessage probed = {.op = CHILD_PROBED,
                           .id = job->id,
                           .info = {.width = 2, .height = 3, .pages = 1, .memory = 1000}};
    char word[WORD_MAX] = {0};

    if (fd_pread_all(packet->fds[0], word, MIN(job->input_len, sizeof(word) - 1),
                     job->input_offset) < 0) {
        _exit(1);
    }
    say(is(word, "unreadable") ? &refused : &probed, NULL, 0);
}

static _Noreturn void worker(void) {
    say(&(ChildMessage){.op = CHILD_READY}, NULL, 0);
    for (;;) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        _cleanup_(ipc_packet_done) IpcPacket packet = IPC_PACKET_INIT;
        ChildMessage job;
        hear(arena, &job, &packet);
        if (job.op == CHILD_RENDER) {
            render(arena, &job, &packet);
        } else if (job.op == CHILD_INGEST) {
            ingest(&job, &packet);
        } else if (job.op == CHILD_METADATA) {
            describe_film(&job, &packet);
        } else {
            probe(&job, &packet);
        }
    }
}

static void infer(const ChildMessage *job, int tensor) {
    TensorLayout layout = tensor_layout(job->model_width, job->model_height);
    char *base = mmap(NULL, layout.size, PROT_READ | PROT_WRITE, MAP_SHARED, tensor, 0);
    const char *what = strncmp(base, "model-", 6) == 0 ? resolve(base + 6) : "ok";
    int status = RENDER_OK;

    speak_raw(what);
    if (is(what, "hang")) {
        hang();
    } else if (is(what, "fault")) {
        status = RENDER_FAULT;
    }
    say(&(ChildMessage){.op = CHILD_INFERRED,
                        .id = job->id + is(what, "wrong-id"),
                        .status = status,
                        .inference_ms = 5},
        NULL, 0);
    munmap(base, layout.size);
}

static void describe(const char *model) {
    bool known = strncmp(model, "fake", 4) == 0;

    say(&(ChildMessage){.op = known ? CHILD_MODEL : CHILD_NO_MODEL,
                        .model = model,
                        .model_width = SIDE,
                        .model_height = SIDE},
        NULL, 0);
}

static _Noreturn void inference(const ChildMessage *start) {
    describe(start->model);
    say(&(ChildMessage){.op = CHILD_READY}, NULL, 0);
    for (;;) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        _cleanup_(ipc_packet_done) IpcPacket packet = IPC_PACKET_INIT;
        ChildMessage job;
        hear(arena, &job, &packet);
        if (job.op == CHILD_DESCRIBE) {
            describe(job.model);
        } else {
            infer(&job, packet.fds[0]);
        }
    }
}

int main(int argc, char **argv) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(ipc_packet_done) IpcPacket packet = IPC_PACKET_INIT;
    ChildMessage start;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    hear(arena, &start, &packet);
    if (argc == 3 && is(argv[2], "worker")) {
        worker();
    }
    inference(&start);
}
