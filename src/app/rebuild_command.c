/* SPDX-License-Identifier: Apache-2.0 */
#include "app/rebuild_command.h"

#include "app/user_argument.h"
#include "base/error.h"
#include "services/sync/rebuild.h"
#include "services/user/account_store.h"
#include "services/user/library_key.h"

const CliOption rebuild_options[] = {
    {"user", 0, CLI_TEXT, offsetof(RebuildOptions, user), .value = "EMAIL|ID",
     .help = "Only this user's library."},
    {"all", 0, CLI_FLAG, offsetof(RebuildOptions, all), .help = "All libraries."},
    {"after", 0, CLI_TEXT, offsetof(RebuildOptions, after), .value = "ID",
     .help = "With --all: go on after this one, the last that was printed."},
    {0},
};

typedef struct Rebuilding {
    const KeyAccess *access;
    Arena *arena; /* of a page of users */
    Uuid user_id;
    Uuid *users;
    size_t n_users;
    UserKey *ret_key;
} Rebuilding;

static int read_key(DbTx *tx, void *userdata) {
    Rebuilding *rebuilding = userdata;

    return library_key_of(tx, rebuilding->access->vault, &rebuilding->user_id, rebuilding->arena,
                          rebuilding->ret_key);
}

static int read_users(DbTx *tx, void *userdata) {
    Rebuilding *rebuilding = userdata;

    return rebuild_users(tx, &rebuilding->user_id, rebuilding->arena, &rebuilding->users,
                         &rebuilding->n_users);
}

static void print_unreadable(const Event *object, void *userdata) {
    char user[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];

    (void)userdata;
    uuid_text(&object->user_id, user);
    uuid_text(&object->object_id, id);
    printf("%s: the %s %s does not open\n", user, object->kind, id);
}

static int rebuild_one(Rebuilding *rebuilding, const Uuid *user_id) {
    _cleanup_(user_key_done) UserKey key = {0};
    RebuildResult result;
    char user[UUID_TEXT_SIZE];
    int r;

    rebuilding->user_id = *user_id;
    rebuilding->ret_key = &key;
    uuid_text(user_id, user);
    r = db_read(rebuilding->access->db, NULL, read_key, rebuilding);
    if (r == ACCOUNT_E_NONE || r == -EBADMSG) {
        printf("%s: there is no key for this library\n", user);
        return EXIT_SOME_FAILED;
    }
    r = r < 0 ? r : rebuild_library(rebuilding->access->db, &key, print_unreadable, NULL, &result);
    if (r < 0) {
        return cli_no_start("%s: not rebuilt to the end: %s; run it again", user,
                            strerrordesc_np(-r));
    }
    printf("%s: %llu objects from %llu events\n", user, (unsigned long long)result.n_objects,
           (unsigned long long)result.n_events);
    fflush(stdout);
    return result.n_unreadable > 0 ? EXIT_SOME_FAILED : EXIT_OK;
}

static int rebuild_all(Rebuilding *rebuilding, const Uuid *after) {
    int status = EXIT_OK;

    rebuilding->user_id = *after;
    do {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        int r;
        rebuilding->arena = arena;
        r = db_read(rebuilding->access->db, NULL, read_users, rebuilding);
        if (r < 0) {
            return cli_no_start("the libraries cannot be listed: %s", strerrordesc_np(-r));
        }
        for (size_t i = 0; i < rebuilding->n_users; i++) {
            r = rebuild_one(rebuilding, &rebuilding->users[i]);
            if (r == EXIT_NO_START) {
                return r;
            }
            status = r == EXIT_OK ? status : r;
        }
    } while (rebuilding->n_users == REBUILD_USERS_MAX);
    return status;
}

int rebuild_command(const CliCall *call) {
    const RebuildOptions *options = call->options;
    _cleanup_(key_access_done) KeyAccess access = {0};
    Rebuilding rebuilding = {.access = &access, .arena = call->arena};
    const char *error = "";
    Uuid id = {0};
    int status;

    if (!options->user == !options->all || (options->after && !options->all)) {
        return cli_usage(call->command, "give --user or --all; --after goes with --all");
    }
    if (options->after && uuid_parse(str_from(options->after), &id) < 0) {
        return cli_usage(call->command, "--after '%s' is no id", options->after);
    }
    if (key_access_start(call->settings, call->arena, &access, &error) < 0) {
        return cli_no_start("%s", error);
    }
    if (rebuild_check(access.db, &error) < 0) {
        return cli_no_start("the database does not take the statement %s", error);
    }
    if (options->all) {
        return rebuild_all(&rebuilding, &id);
    }
    status = user_argument_read(call, &access, "--user", options->user, &id);
    return status == EXIT_OK ? rebuild_one(&rebuilding, &id) : status;
}
