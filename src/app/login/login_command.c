/* SPDX-License-Identifier: Apache-2.0 */
#include "app/login/login_command.h"

#include "app/login/device_flow.h"
#include "base/error.h"

#include <signal.h>
#include <sys/signalfd.h>

#define AT(member) offsetof(LoginOptions, member)
#define SERVER_OPTION                                                                              \
    {                                                                                              \
        .name = "server", .kind = CLI_TEXT, .offset = AT(server), .value = "URL",                  \
        .help = "The server's address. Default: the one that was signed in to last."               \
    }
#define CA_OPTION                                                                                  \
    {                                                                                              \
        .name = "ca", .kind = CLI_TEXT, .offset = AT(ca), .value = "FILE",                         \
        .help = "Certificates to trust instead of the system's, as PEM."                           \
    }
#define PLAIN_OPTION                                                                               \
    {                                                                                              \
        .name = "plain-http", .kind = CLI_FLAG, .offset = AT(plain_http),                          \
        .help = "Allow http:// to other machines: anybody on the way can read along."              \
    }

const CliOption login_options[] = {
    SERVER_OPTION,
    {.name = "open",
     .kind = CLI_FLAG,
     .offset = AT(open),
     .help = "Open the page in a browser here (xdg-open)."},
    CA_OPTION,
    PLAIN_OPTION,
    {0},
};

const CliOption session_options[] = {SERVER_OPTION, CA_OPTION, PLAIN_OPTION, {0}};

typedef struct Session {
    Remote remote;
    const char *path;
    Credentials credentials; /* as they were at the start */
} Session;

static int failed(const CliCall *call, const char *text) {
    fprintf(stderr, "imagesync %s: %s\n", call->command->name, text);
    return EXIT_SOME_FAILED;
}

/* EXIT_OK, or what was said of it. */
static int start(const CliCall *call, Session *session) {
    const LoginOptions *options = call->options;
    const char *server = options->server, *error = "";
    int r;

    session->remote = (Remote){.ca_file = options->ca, .stop_fd = -1, .arena = call->arena};
    if (credentials_path(call->arena, &session->path) < 0) {
        return cli_no_start("neither XDG_CONFIG_HOME nor HOME says where credentials are kept");
    }
    r = credentials_load(session->path, call->arena, &session->credentials);
    if (r < 0) {
        return cli_no_start("%s: %s", session->path,
                            r == -EBADMSG ? "it is not what 'imagesync login' has written; move it "
                                            "away"
                                          : strerrordesc_np(-r));
    }
    if (!server) {
        server = session->credentials.current;
        if (!server) {
            return cli_usage(call->command, "say where: --server URL");
        }
        session->remote.server = server; /* was looked at when it was signed in to */
        return EXIT_OK;
    }
    if (remote_normalise(server, options->plain_http, call->arena, &session->remote.server,
                         &error) < 0) {
        return cli_usage(call->command, "--server: %s", error);
    }
    return EXIT_OK;
}

/* What a call came to, in words. */
static int explain(const CliCall *call, const Session *session, int r) {
    switch (r) {
    case -EINTR:
        return EXIT_INTERRUPTED;
    case REMOTE_E_SIGNED_OUT:
        return failed(call, arena_printf(call->arena,
                                         "not signed in to %s; run 'imagesync login --server %s'",
                                         session->remote.server, session->remote.server));
    default:
        return cli_no_start("%s", session->remote.error ? session->remote.error
                                                        : strerrordesc_np(r < 0 ? -r : EIO));
    }
}

static int explain_flow(const CliCall *call, const Session *session, int r) {
    switch (r) {
    case DEVICE_FLOW_E_DENIED:
        return failed(call, "it was denied");
    case DEVICE_FLOW_E_EXPIRED:
        return failed(call, "nobody typed the code in time; start again");
    case DEVICE_FLOW_E_TURNED_OFF:
        return failed(call, arena_printf(call->arena,
                                         "%s does not let this command sign in (its setting "
                                         "cli-client)",
                                         session->remote.server));
    case DEVICE_FLOW_E_BUSY:
        return failed(call, "too many have asked for a code from here; try again later");
    default:
        return explain(call, session, r);
    }
}

/* Under the lock; *ret_before is the refresh token that it takes the place of, or NULL. */
static int keep(Session *session, const Credential *credential, const char **ret_before) {
    _cleanup_(fd_closep) int lock = -1;
    Credential *before;
    int r = credentials_lock(session->path, &lock);

    if (r == 0) {
        r = credentials_load(session->path, session->remote.arena, &session->credentials);
    }
    if (r == 0) {
        before = credentials_find(&session->credentials, credential->server);
        *ret_before = before ? before->refresh_token : NULL;
        r = credentials_put(&session->credentials, credential);
    }
    if (r == 0) {
        r = credentials_save(session->path, &session->credentials);
    }
    if (r < 0) {
        session->remote.error =
            arena_printf(session->remote.arena, "%s: %s", session->path, strerrordesc_np(-r));
    }
    return r;
}

static int sign_in(const CliCall *call, Session *session) {
    const LoginOptions *options = call->options;
    const char *before = NULL, *who = "";
    Credential credential;
    int r = remote_check(&session->remote);

    if (r < 0) {
        return explain(call, session, r);
    }
    r = device_flow_run(&session->remote, options->open, &credential);
    if (r != 0) {
        return explain_flow(call, session, r);
    }
    r = keep(session, &credential, &before);
    if (r < 0) {
        (void)remote_revoke(&session->remote, credential.refresh_token); /* nobody has it now */
        return explain(call, session, r);
    }
    if (before) {
        (void)remote_revoke(&session->remote, before); /* it would end by itself, later */
    }
    r = remote_who(&session->remote, credential.access_token, &who);
    if (r != 0) {
        return explain(call, session, r);
    }
    printf("Signed in to %s as %s.\n", session->remote.server, who);
    return EXIT_OK;
}

int login_command(const CliCall *call) {
    _cleanup_(fd_closep) int stop = -1;
    Session session;
    sigset_t ending;
    int status = start(call, &session);

    if (status != EXIT_OK) {
        return status;
    }
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    stop = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    if (stop < 0) {
        return cli_no_start("%s", strerrordesc_np(errno));
    }
    session.remote.stop_fd = stop;
    status = sign_in(call, &session);
    if (status == EXIT_INTERRUPTED) {
        fprintf(stderr, "imagesync login: given up; you are not signed in\n");
    }
    return status;
}

/* Under the lock; *ret_token is the refresh token that was there, or NULL. */
static int forget(Session *session, const char **ret_token) {
    _cleanup_(fd_closep) int lock = -1;
    Credential *mine = NULL;
    int r = credentials_lock(session->path, &lock);

    if (r == 0) {
        r = credentials_load(session->path, session->remote.arena, &session->credentials);
    }
    if (r == 0) {
        mine = credentials_find(&session->credentials, session->remote.server);
    }
    *ret_token = mine ? mine->refresh_token : NULL;
    if (mine) {
        credentials_remove(&session->credentials, session->remote.server);
        r = credentials_save(session->path, &session->credentials);
    }
    if (r < 0) {
        session->remote.error =
            arena_printf(session->remote.arena, "%s: %s", session->path, strerrordesc_np(-r));
    }
    return r;
}

int logout_command(const CliCall *call) {
    const char *token = NULL;
    Session session;
    int status = start(call, &session), r;

    if (status != EXIT_OK) {
        return status;
    }
    r = forget(&session, &token);
    if (r < 0) {
        return explain(call, &session, r);
    }
    if (!token) {
        return explain(call, &session, REMOTE_E_SIGNED_OUT);
    }
    r = remote_revoke(&session.remote, token);
    if (r < 0) {
        return failed(call, arena_printf(call->arena,
                                         "forgotten here, but the server could not be told: %s",
                                         session.remote.error));
    }
    printf("Signed out of %s.\n", session.remote.server);
    return EXIT_OK;
}

int whoami_command(const CliCall *call) {
    const char *token = NULL, *who = "";
    Session session;
    int status = start(call, &session), r;

    if (status != EXIT_OK) {
        return status;
    }
    r = remote_token(&session.remote, session.path, &token);
    if (r == 0) {
        r = remote_who(&session.remote, token, &who);
    }
    if (r != 0) {
        return explain(call, &session, r);
    }
    printf("%s at %s\n", who, session.remote.server);
    return EXIT_OK;
}
