/* SPDX-License-Identifier: Apache-2.0 */
#include "app/users_command.h"

#include "app/key_access.h"
#include "app/registry.h"
#include "services/user/operator.h"
#include "services/user/privacy/erasure_mail.h"

#include <time.h>

const CliOption users_erase_options[] = {
    {"now", 0, CLI_FLAG, offsetof(UsersEraseOptions, now),
     .help = "Without days of grace: signing in calls it off only until the server gets to it."},
    {0},
};

/* Does it, and says so in the words of `done`. */
static int carry_out(const CliCall *call, Act *act) {
    _cleanup_(db_freep) Db *db = NULL;
    MasterKeyRing *keys = NULL;
    const char *error = "";
    int r;

    if (registry_open_database(call->settings, true, call->arena, &db, &error) < 0 ||
        key_access_open(call->settings, false, call->arena, &keys, &error) < 0) {
        return cli_no_start("%s", error);
    }
    r = user_operator_do(db, keys, call->arguments[0], act, call->arena, &error);
    master_key_ring_free(keys);
    if (r < 0) {
        fprintf(stderr, "imagesync %s: %s\n", call->command->name, error);
        return EXIT_SOME_FAILED;
    }
    return EXIT_OK;
}

int users_grant_command(const CliCall *call) {
    Act act = {.kind = ACT_GRANT};
    char available[ACT_AMOUNT_SIZE];
    int status;

    if (act_amount_parse(str_from(call->arguments[1]), &act.amount) < 0 || act.amount == 0) {
        return cli_usage(call->command, "'%s' is no amount of credits such as 100, 0.25 or -5",
                         call->arguments[1]);
    }
    status = carry_out(call, &act);
    if (status == EXIT_OK) {
        printf("%s has %s credits.\n", call->arguments[0],
               act_amount_text(act.credits.available, available));
    }
    return status;
}

static int set_status(const CliCall *call, AccountStatus value) {
    Act act = {.kind = ACT_STATUS, .value = value};
    int status = carry_out(call, &act);

    if (status == EXIT_OK) {
        printf("%s is %s.\n", call->arguments[0], account_status_names[act.value]);
    }
    return status;
}

int users_lock_command(const CliCall *call) {
    return set_status(call, ACCOUNT_LOCKED);
}

int users_unlock_command(const CliCall *call) {
    return set_status(call, ACCOUNT_ACTIVE);
}

int users_role_command(const CliCall *call) {
    Act act = {.kind = ACT_ROLE};
    int status;

    while (account_role_names[act.value] &&
           strcmp(account_role_names[act.value], call->arguments[1]) != 0) {
        act.value++;
    }
    if (!account_role_names[act.value]) {
        return cli_usage(call->command, "there is no role '%s'; give user, support or admin",
                         call->arguments[1]);
    }
    status = carry_out(call, &act);
    if (status == EXIT_OK) {
        printf("%s has the role %s.\n", call->arguments[0], account_role_names[act.value]);
    }
    return status;
}

/* The owner is told, as when they had asked for it themselves. */
static void tell(const CliCall *call, const ErasureRequest *request) {
    _cleanup_(mailer_freep) Mailer *mailer = NULL;
    const char *error = "";
    MailMessage message = {
        request->email, ERASURE_MAIL_ASKED,
        erasure_mail_asked_text(request, call->settings->user.public_url, call->arena)};

    if (registry_open_mailer(call->settings, call->arena, &mailer, &error) < 0 ||
        mailer_send(mailer, &message) != 0) {
        fprintf(stderr, "imagesync %s: the owner could not be told by mail%s%s\n",
                call->command->name, error[0] ? ": " : "", error);
    }
}

int users_erase_command(const CliCall *call) {
    const UsersEraseOptions *options = call->options;
    _cleanup_(db_freep) Db *db = NULL;
    uint64_t days = options->now ? 0 : call->settings->user.erasure_grace_days;
    MasterKeyRing *keys = NULL;
    ErasureRequest request;
    const char *error = "";
    char when[64];
    time_t seconds;
    struct tm parts;
    int r;

    if (registry_open_database(call->settings, true, call->arena, &db, &error) < 0 ||
        key_access_open(call->settings, false, call->arena, &keys, &error) < 0) {
        return cli_no_start("%s", error);
    }
    r = user_operator_erase(db, keys, call->arguments[0], days, call->arena, &request, &error);
    master_key_ring_free(keys);
    if (r < 0) {
        fprintf(stderr, "imagesync %s: %s\n", call->command->name, error);
        return EXIT_SOME_FAILED;
    }
    if (request.email) {
        tell(call, &request);
    }
    seconds = (time_t)(request.erase_us / 1000000);
    gmtime_r(&seconds, &parts);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M UTC", &parts);
    printf("%s is erased by the server after %s.\n", call->arguments[0], when);
    return EXIT_OK;
}
