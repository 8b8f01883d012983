/* SPDX-License-Identifier: Apache-2.0 */
#include "app/keys_command.h"

#include "app/key_access.h"
#include "base/clock.h"
#include "base/error.h"
#include "services/user/key_rotation.h"
#include "services/user/oidc/signing_keys.h"

#include <time.h>

/* A pass finds what a server wrapped by an older key during the one before; seldom a second. */
#define PASSES_MAX 10

typedef struct Keys {
    KeyAccess access;
    MasterKeyId ids[MASTER_KEY_KEYS_MAX];
    KeyUse uses[MASTER_KEY_KEYS_MAX];
    size_t n_ids, n_uses;
} Keys;

static void keys_done(Keys *keys) {
    key_access_done(&keys->access);
}

static int count(Keys *keys) {
    int r;

    keys->n_ids = master_key_ring_ids(keys->access.keys, keys->ids);
    r = key_rotation_count(keys->access.db, keys->uses, &keys->n_uses);
    return r < 0 ? cli_no_start("the keys cannot be counted: %s", strerrordesc_np(-r)) : EXIT_OK;
}

static int start(const CliCall *call, Keys *keys) {
    const char *error = "";

    if (key_access_start(call->settings, call->arena, &keys->access, &error) < 0) {
        return cli_no_start("%s", error);
    }
    return count(keys);
}

static const char *newest(const Keys *keys) {
    return keys->ids[keys->n_ids - 1].text;
}

static KeyUse use_of(const Keys *keys, const char *id) {
    for (size_t i = 0; i < keys->n_uses; i++) {
        if (strcmp(keys->uses[i].id.text, id) == 0) {
            return keys->uses[i];
        }
    }
    return (KeyUse){0};
}

/* How much is wrapped by others than the newest. */
static uint64_t n_older(const Keys *keys) {
    uint64_t n = 0;

    for (size_t i = 0; i < keys->n_uses; i++) {
        if (strcmp(keys->uses[i].id.text, newest(keys)) != 0) {
            n += keys->uses[i].n_users + keys->uses[i].n_service;
        }
    }
    return n;
}

int keys_list_command(const CliCall *call) {
    _cleanup_(keys_done) Keys keys = {0};
    int status = start(call, &keys);

    if (status != EXIT_OK) {
        return status;
    }
    for (size_t i = 0; i < keys.n_ids; i++) {
        KeyUse use = use_of(&keys, keys.ids[i].text);
        printf("%-32s %10llu users %4llu of the service%s\n", keys.ids[i].text,
               (unsigned long long)use.n_users, (unsigned long long)use.n_service,
               i + 1 == keys.n_ids ? "  newest" : "");
    }
    return EXIT_OK;
}

static int add_key(const CliCall *call, Keys *keys) {
    const char *reason = "";
    int r = master_key_file_add(call->settings->master_key, &reason);

    if (r == 0) {
        r = master_key_ring_reload(keys->access.keys, &reason);
    }
    if (r != 0) {
        return cli_no_start("--master-key: %s", r > 0 ? reason : strerrordesc_np(-r));
    }
    keys->n_ids = master_key_ring_ids(keys->access.keys, keys->ids);
    printf("Added the master key %s.\n", newest(keys));
    return EXIT_OK;
}

int keys_rotate_command(const CliCall *call) {
    _cleanup_(keys_done) Keys keys = {0};
    uint64_t n = 0, n_pass = 1;
    int status = start(call, &keys), r = 0;

    if (status != EXIT_OK) {
        return status;
    }
    if (n_older(&keys) > 0) {
        printf("Going on with the rotation to %s.\n", newest(&keys));
    } else if (call->settings->master_key_command[0] == '\0') {
        status = add_key(call, &keys);
        if (status != EXIT_OK) {
            return status;
        }
    }
    fflush(stdout);
    for (unsigned i = 0; i < PASSES_MAX && r == 0 && n_pass > 0; i++) {
        r = key_rotation_rewrap(keys.access.db, keys.access.vault, newest(&keys), &n_pass);
        n += n_pass;
    }
    if (r != 0) {
        return cli_no_start("not everything could be wrapped: %s; run it again",
                            r < 0 ? strerrordesc_np(-r) : "a key in the database does not open");
    }
    printf("Wrapped %llu keys with %s.\n", (unsigned long long)n, newest(&keys));
    return EXIT_OK;
}

int keys_rotate_signing_command(const CliCall *call) {
    _cleanup_(key_access_done) KeyAccess access = {0};
    const char *error = "";
    char when[32];
    int64_t from_us = 0;
    time_t from;
    struct tm utc;
    int r;

    if (key_access_start(call->settings, call->arena, &access, &error) < 0) {
        return cli_no_start("%s", error);
    }
    r = signing_keys_rotate(access.db, access.vault, clock_unix_us(), &from_us);
    if (r == SIGNING_KEYS_E_FULL) {
        fprintf(stderr, "imagesync keys rotate-signing: many keys are published already; one goes "
                        "two days after the next has begun\n");
        return EXIT_SOME_FAILED;
    }
    if (r < 0) {
        return cli_no_start("no key could be made: %s", strerrordesc_np(-r));
    }
    from = (time_t)(from_us / 1000000);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&from, &utc));
    printf("Made new signing keys, which sign from %s on.\n", when);
    return EXIT_OK;
}

int keys_retire_command(const CliCall *call) {
    _cleanup_(keys_done) Keys keys = {0};
    const char *id = call->arguments[0], *reason = "";
    int status = start(call, &keys), r;
    KeyUse use;

    if (status != EXIT_OK) {
        return status;
    }
    if (call->settings->master_key_command[0] != '\0') {
        return cli_usage(call->command, "the keys come from --master-key-command: take it out "
                                        "there");
    }
    use = use_of(&keys, id);
    if (use.n_users + use.n_service > 0) {
        fprintf(stderr,
                "imagesync: %llu keys are still wrapped by %s; run 'imagesync keys rotate'\n",
                (unsigned long long)use.n_users + (unsigned long long)use.n_service, id);
        return EXIT_SOME_FAILED;
    }
    r = master_key_file_remove(call->settings->master_key, str_from(id), &reason);
    if (r != 0) {
        fprintf(stderr, "imagesync: %s is not taken out: %s\n", id,
                r == MASTER_KEY_E_UNKNOWN ? "there is no such key"
                : r > 0                   ? reason
                                          : strerrordesc_np(-r));
        return EXIT_SOME_FAILED;
    }
    printf("Took out the master key %s.\n", id);
    return EXIT_OK;
}
