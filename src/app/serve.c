/* SPDX-License-Identifier: Apache-2.0 */
#include "app/serve.h"

#include "app/registry.h"
#include "app/supervisor.h"

/* The child drains by itself within drain-timeout-s; it is killed only when it does not. */
#define DRAIN_GRACE_MS 5000

int serve_command(const CliCall *call) {
    const char *error = "";
    unsigned parts;
    char **argv;

    /* Said here, by the process that a person started, and before anything else is. */
    if (registry_services(call->settings, call->arena, &parts, &error) < 0) {
        return cli_usage(call->command, "%s", error);
    }
    if (parts & PART_IMAGE && registry_check_model(call->settings, call->arena, &error) < 0) {
        return cli_no_start("%s", error);
    }
    argv = arena_alloc(call->arena, ((size_t)call->argc + 4) * sizeof(*argv));
    argv[0] = arena_strdup(call->arena, str_lit("imagesync"));
    argv[1] = arena_strdup(call->arena, str_lit("-x"));
    argv[2] = arena_strdup(call->arena, str_lit("http"));
    memcpy(argv + 3, call->argv, (size_t)call->argc * sizeof(*argv));
    return supervisor_run(&(SupervisorOptions){
        .argv = argv,
        .drain_timeout_ms = (uint32_t)call->settings->drain_timeout_s * 1000 + DRAIN_GRACE_MS,
        .give_up_status = EXIT_NO_START});
}
