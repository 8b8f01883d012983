/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writes MIB mebibytes as one sealed blob into a new folder of blobs, as an upload does: a stage,
 * synced every 8 MiB (0: only at its end), committed. Prints MiB/s until it is durable.
 *   blobs_bench FOLDER MIB SYNC-MIB
 */

#include "adapters/blobs/folder/folder.h"
#include "base/clock.h"
#include "base/crypto/random.h"
#include "base/error.h"
#include "core/blobs/sealed_blob.h"

#include <stdio.h>

#define MIB     ((size_t)1 << 20)
#define MIB_MAX 65536

static int upload(Blobs *blobs, Executor *executor, const char *piece, uint64_t mib,
                  uint64_t sync_mib) {
    _cleanup_(sealed_stage_freep) SealedStage *stage = NULL;
    uint8_t key[AEAD_KEY_LEN];
    Str tail;
    int r;

    random_bytes(key, sizeof(key));
    r = sealed_stage_open(blobs, str_lit("bench/one"), key, 0, (Str){0}, executor, &stage);
    for (uint64_t i = 1; i <= mib && r == 0; i++) {
        r = sealed_stage_write(stage, (Str){piece, MIB});
        if (r == 0 && sync_mib > 0 && i % sync_mib == 0) {
            r = sealed_stage_sync(stage, &tail);
        }
    }
    return r == 0 ? sealed_stage_commit(stage) : r;
}

int main(int argc, char **argv) {
    const ExecutorOptions two = {.name = "uploads", .threads = 2, .queue_max = 2};
    _cleanup_(blobs_freep) Blobs *blobs = NULL;
    _cleanup_(executor_freep) Executor *executor = NULL;
    char *piece = malloc(MIB), id[BLOB_STORE_ID_LEN + 1];
    const char *reason = "";
    uint64_t mib = 0, sync_mib = 0, start_us;
    int r;

    if (argc != 4 || !piece || str_to_u64(str_from(argv[2]), &mib) < 0 || mib < 1 ||
        mib > MIB_MAX || str_to_u64(str_from(argv[3]), &sync_mib) < 0) {
        (void)fprintf(stderr, "usage: %s FOLDER MIB SYNC-MIB\n", argv[0]);
        return 2;
    }
    random_bytes(piece, MIB);
    r = blobs_folder_new(argv[1], "", &blobs, id, &reason);
    if (r == 0) {
        r = executor_new(&two, &executor);
    }
    start_us = clock_mono_us();
    if (r == 0) {
        r = upload(blobs, executor, piece, mib, sync_mib);
    }
    if (r != 0) {
        (void)fprintf(stderr, "%s: %s (%d)\n", argv[1], reason, r);
        return 1;
    }
    printf("%.1f\n", (double)mib * 1e6 / (double)(clock_mono_us() - start_us));
    free(piece);
    return 0;
}
