/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Accounts by the million, by the code that the service itself uses, on the database and the master
 * key that the environment names (IMAGESYNC_DATABASE, IMAGESYNC_DATA; migrated before):
 *   users_bench fill FROM TO     adds the accounts of these numbers
 *   users_bench look N LOOKUPS   finds random ones of the first N by their addresses, as signing in
 *                                does, and prints median and 99th percentile in microseconds
 * See bench/million.py.
 */

#include "app/key_access.h"
#include "base/clock.h"
#include "base/crypto/random.h"
#include "services/user/account_store.h"

#include <inttypes.h>
#include <stdio.h>

#define BATCH 1000 /* accounts a transaction */
/* As long as a hash with the settings as they come. */
#define PASSWORD_HASH                                                                              \
    "$argon2id$v=19$m=32768,t=2,p=1$xBrLpM0X8YcGRmW8XqE2Gw$"                                       \
    "uS1n0m3uP2jvNnUqk6Jm2c8cQy9q8m0mJm0x2xq7h0E"

typedef struct Work {
    const KeyAccess *access;
    Arena *arena;
    uint64_t from, to;
} Work;

static const char *email_of(uint64_t number, Arena *arena) {
    return arena_printf(arena, "user%" PRIu64 "@example.com", number);
}

static int add_some(DbTx *tx, void *userdata) {
    const Work *work = userdata;

    for (uint64_t i = work->from; i < work->to; i++) {
        Account account = {.key.user_id = uuid_new(),
                           .email = email_of(i, work->arena),
                           .profile = {"Somebody With A Name", "en", "Europe/Zurich"},
                           .password = PASSWORD_HASH,
                           .created_us = clock_unix_us()};
        int r = account_store_add(tx, work->access->vault, work->arena, &account);
        account_done(&account);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

static int fill(const KeyAccess *access, uint64_t from, uint64_t to) {
    int r = 0;

    for (; from < to && r == 0; from += BATCH) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        Work work = {access, arena, from, MIN(from + BATCH, to)};
        r = db_write(access->db, add_some, &work, NULL);
    }
    return r;
}

static int find_one(DbTx *tx, void *userdata) {
    const Work *work = userdata;
    const Vault *vault = work->access->vault;
    _cleanup_(account_done) Account account = {0};
    uint8_t hash[VAULT_HASH_LEN];

    vault_hash_email(vault, str_from(email_of(work->from, work->arena)), hash);
    return account_store_find(tx, vault, hash, work->arena, &account);
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int look(const KeyAccess *access, uint64_t n, uint64_t lookups) {
    _cleanup_(freep) uint64_t *times_us = calloc(lookups, sizeof(*times_us));
    int r = 0;

    if (!times_us) {
        abort();
    }
    for (uint64_t i = 0; i < lookups && r == 0; i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        Work work = {.access = access, .arena = arena};
        uint64_t start_us;
        random_bytes(&work.from, sizeof(work.from));
        work.from %= n;
        start_us = clock_mono_us();
        r = db_read(access->db, NULL, find_one, &work);
        times_us[i] = clock_mono_us() - start_us;
    }
    qsort(times_us, lookups, sizeof(*times_us), by_size);
    printf("%" PRIu64 " %" PRIu64 "\n", times_us[lookups / 2], times_us[lookups * 99 / 100]);
    return r;
}

/* The master key, when there is none yet. */
static int make_key(const Settings *settings, Arena *arena, const char **reterr_text) {
    MasterKeyRing *keys = NULL;
    int r = key_access_open(settings, true, arena, &keys, reterr_text);

    if (r == 0) {
        master_key_ring_free(keys);
    }
    return r;
}

int main(int argc, char **argv) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(config_freep) Config *config = NULL;
    _cleanup_(key_access_done) KeyAccess access = {0};
    const char *error = "";
    Settings settings;
    uint64_t first, second;
    int r;

    if (argc != 4 || str_to_u64(str_from(argv[2]), &first) < 0 ||
        str_to_u64(str_from(argv[3]), &second) < 0 || second == 0 || second > 100000000) {
        fprintf(stderr, "usage: users_bench fill FROM TO | look N LOOKUPS\n");
        return 2;
    }
    if (settings_load(NULL, 0, false, arena, &settings, &config, &error) < 0 ||
        make_key(&settings, arena, &error) < 0 ||
        key_access_start(&settings, arena, &access, &error) < 0) {
        fprintf(stderr, "users_bench: %s\n", error);
        return 1;
    }
    r = strcmp(argv[1], "fill") == 0 ? fill(&access, first, second) : look(&access, first, second);
    if (r != 0) {
        fprintf(stderr, "users_bench: condition or fault %d\n", r);
    }
    return r != 0;
}
