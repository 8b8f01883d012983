/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/master_key_ring.h"

#include "base/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define THREADS   4
#define ROTATIONS 20

typedef struct Use {
    MasterKeyRing *ring;
    atomic_bool *stop;
    unsigned done, failed;
} Use;

static void *use(void *userdata) {
    Use *self = userdata;

    while (!atomic_load(self->stop) || self->done == 0) {
        uint8_t key[AEAD_KEY_LEN] = {1, 2, 3}, again[AEAD_KEY_LEN] = {0};
        uint8_t wrapped[MASTER_KEY_WRAPPED_MAX];
        size_t len = 0;
        bool good = master_key_ring_wrap(self->ring, key, str_lit("u"), wrapped, &len) == 0 &&
                    master_key_ring_unwrap(self->ring, (Str){(const char *)wrapped, len},
                                           str_lit("u"), again) == 0 &&
                    memcmp(key, again, sizeof(key)) == 0;
        self->failed += !good;
        self->done++;
    }
    return NULL;
}

static void keys_are_added_while_they_are_used(void **state) {
    char folder[] = "/tmp/ring-test-XXXXXX", path[64];
    _cleanup_(master_key_ring_freep) MasterKeyRing *ring = NULL, *stale = NULL;
    MasterKeyId ids[MASTER_KEY_KEYS_MAX], first;
    uint8_t key[AEAD_KEY_LEN] = {7}, again[AEAD_KEY_LEN], wrapped[MASTER_KEY_WRAPPED_MAX];
    atomic_bool stop = false;
    pthread_t threads[THREADS];
    Use uses[THREADS];
    const char *error = "";
    size_t len;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/keys", folder);
    assert_int_equal(master_key_file_create(path), 0);
    assert_int_equal(master_key_ring_new(&(MasterKeySource){.path = path}, &ring, &error), 0);
    assert_int_equal(master_key_ring_new(&(MasterKeySource){.path = path}, &stale, &error), 0);
    assert_int_equal(master_key_ring_ids(ring, ids), 1);
    first = ids[0];
    for (size_t i = 0; i < THREADS; i++) {
        uses[i] = (Use){.ring = ring, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, use, &uses[i]), 0);
    }
    for (unsigned i = 0; i < ROTATIONS; i++) {
        assert_int_equal(master_key_file_add(path, &error), 0);
        assert_int_equal(master_key_ring_reload(ring, &error), 0);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(uses[i].failed, 0);
    }
    /* One that was never told finds the new key when it meets it. */
    assert_int_equal(master_key_ring_ids(stale, ids), 1);
    assert_int_equal(master_key_ring_wrap(ring, key, str_lit("u"), wrapped, &len), 0);
    assert_int_equal(
        master_key_ring_unwrap(stale, (Str){(const char *)wrapped, len}, str_lit("u"), again), 0);
    assert_int_equal(master_key_ring_ids(stale, ids), 1 + ROTATIONS);

    assert_int_equal(master_key_file_remove(path, str_lit("none"), &error), MASTER_KEY_E_UNKNOWN);
    assert_int_equal(master_key_file_remove(path, str_from(ids[ROTATIONS].text), &error),
                     MASTER_KEY_E_REFUSED);
    assert_int_equal(master_key_file_remove(path, str_from(first.text), &error), 0);
    assert_int_equal(master_key_ring_reload(ring, &error), 0);
    assert_int_equal(master_key_ring_ids(ring, ids), ROTATIONS);
    unlink(path);
    assert_int_equal(master_key_ring_reload(ring, &error), -ENOENT);
    assert_int_equal(
        master_key_ring_unwrap(ring, (Str){(const char *)wrapped, len}, str_lit("u"), again), 0);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_added_while_they_are_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
