/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bare Argon2id: `password_bench THREADS SECONDS OPS MEBIBYTES` prints how many passwords
 * libsodium verifies on so many threads a second, and a second of processor time. bench/sign_in.py
 * sets sign-ins beside it.
 */
#include "base/clock.h"
#include "base/str.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#define THREADS_MAX 64
#define PASSWORD    "correct horse battery"

typedef struct Bench {
    uint64_t threads, seconds, ops, mebibytes;
    char hash[crypto_pwhash_argon2id_STRBYTES];
    uint64_t end_us;
} Bench;

typedef struct Worker {
    const Bench *bench;
    pthread_t thread;
    uint64_t done;
    bool failed;
} Worker;

static void *work(void *userdata) {
    Worker *worker = userdata;

    while (clock_mono_us() < worker->bench->end_us && !worker->failed) {
        worker->failed =
            crypto_pwhash_argon2id_str_verify(worker->bench->hash, PASSWORD, strlen(PASSWORD)) != 0;
        worker->done++;
    }
    return NULL;
}

static bool read_arguments(int argc, char **argv, Bench *ret_bench) {
    uint64_t *const to[] = {&ret_bench->threads, &ret_bench->seconds, &ret_bench->ops,
                            &ret_bench->mebibytes};

    for (size_t i = 0; i < ARRAY_LEN(to); i++) {
        if (argc != 5 || str_to_u64(str_from(argv[i + 1]), to[i]) < 0 || *to[i] < 1 ||
            *to[i] > 4096) {
            return false;
        }
    }
    return ret_bench->threads <= THREADS_MAX;
}

int main(int argc, char **argv) {
    Worker workers[THREADS_MAX] = {0};
    uint64_t start_us, done = 0;
    Bench bench = {0};
    bool failed = false;

    if (!read_arguments(argc, argv, &bench)) {
        fprintf(stderr, "usage: password_bench THREADS SECONDS OPS MEBIBYTES\n");
        return 2;
    }
    if (sodium_init() < 0 || crypto_pwhash_argon2id_str(bench.hash, PASSWORD, strlen(PASSWORD),
                                                        bench.ops, bench.mebibytes << 20) != 0) {
        return 1;
    }
    start_us = clock_mono_us();
    bench.end_us = start_us + bench.seconds * 1000000;
    for (uint64_t i = 0; i < bench.threads; i++) {
        workers[i].bench = &bench;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            return 1;
        }
    }
    for (uint64_t i = 0; i < bench.threads; i++) {
        pthread_join(workers[i].thread, NULL);
        done += workers[i].done;
        failed = failed || workers[i].failed;
    }
    printf("%.2f %.2f\n", (double)done * 1e6 / (double)(clock_mono_us() - start_us),
           (double)done * CLOCKS_PER_SEC / (double)clock());
    return failed;
}
