/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/command.h"

#include "app/login/remote.h"
#include "app/sync_dir/sync_dir.h"
#include "app/terminal.h"
#include "base/error.h"
#include "base/fd.h"

#include <signal.h>
#include <sys/signalfd.h>

#define AT(member)   offsetof(SyncDirOptions, member)
#define SETTLE_MAX_S 3600

static int read_settle(void *options, const char *text) {
    SyncDirOptions *all = options;
    uint64_t value;

    if (str_to_u64(str_from(text), &value) < 0 || value > SETTLE_MAX_S) {
        return -EINVAL;
    }
    all->settle_s = (uint32_t)value;
    return 0;
}

const SyncDirOptions sync_dir_options_init = {.settle_s = 2};

const CliOption sync_dir_options[] = {
    {.name = "once",
     .kind = CLI_FLAG,
     .offset = AT(once),
     .help = "End when nothing is left to do, instead of watching."},
    {.name = "server",
     .kind = CLI_TEXT,
     .offset = AT(server),
     .value = "URL",
     .help = "The server's address. Default: the folder's, then the one that was signed in to "
             "last."},
    {.name = "token",
     .kind = CLI_TEXT,
     .offset = AT(token),
     .value = "KEY",
     .help = "An API key with the scope library, instead of 'imagesync login'. Others on this "
             "machine can read a command line: better set IMAGESYNC_TOKEN."},
    {.name = "pull-only",
     .kind = CLI_FLAG,
     .offset = AT(pull_only),
     .help = "Send nothing to the library."},
    {.name = "push-only",
     .kind = CLI_FLAG,
     .offset = AT(push_only),
     .help = "Take nothing from the library."},
    {.name = "delete-to-trash",
     .kind = CLI_FLAG,
     .offset = AT(delete_to_trash),
     .help = "Put a photo into the library's trash when its file is deleted here. Without this "
             "the library keeps it."},
    {.name = "settle-s",
     .kind = CLI_READ,
     .read = read_settle,
     .value = "N",
     .expects = "0 to 3600",
     .help = "For how many seconds nothing must have been done to a file before it is sent. "
             "Default: 2."},
    {.name = "ca",
     .kind = CLI_TEXT,
     .offset = AT(ca),
     .value = "FILE",
     .help = "Certificates to trust instead of the system's, as PEM."},
    {.name = "plain-http",
     .kind = CLI_FLAG,
     .offset = AT(plain_http),
     .help = "Allow http:// to other machines: anybody on the way can read along."},
    {.name = "quiet",
     .letter = 'q',
     .kind = CLI_FLAG,
     .offset = AT(quiet),
     .help = "Say only what went wrong."},
    {0},
};

/* EXIT_OK with the server's address in sync->server, or what was said of it. */
static int find_server(const CliCall *call, SyncDir *sync) {
    const SyncDirOptions *options = call->options;
    const char *known = "", *error = "", *server = options->server;
    SyncLinkServer *link = &sync->server;
    Credentials *credentials = arena_alloc(call->arena, sizeof(*credentials));
    int r = state_get(&sync->state, "server", call->arena, &known);

    if (r < 0) {
        return cli_no_start("%s: %s", sync->folder.state_path, strerrordesc_np(-r));
    }
    if (!server && known[0]) {
        server = known;
    }
    if (!server) {
        if (credentials_path(call->arena, &link->credentials_path) == 0 &&
            credentials_load(link->credentials_path, call->arena, credentials) == 0) {
            server = credentials->current;
        }
        if (!server) {
            return cli_usage(call->command,
                             "say where: --server URL, or run 'imagesync login' first");
        }
    }
    if (remote_normalise(server, options->plain_http || !options->server, call->arena, &link->url,
                         &error) < 0) {
        return cli_usage(call->command, "--server: %s", error);
    }
    if (known[0] && strcmp(known, link->url) != 0) {
        return cli_no_start("%s is synced with %s; take another folder for %s", sync->folder.path,
                            known, link->url);
    }
    r = known[0] ? 0 : state_set(&sync->state, "server", link->url);
    return r < 0 ? cli_no_start("%s: %s", sync->folder.state_path, strerrordesc_np(-r)) : EXIT_OK;
}

static int find_credential(const CliCall *call, SyncDir *sync) {
    const SyncDirOptions *options = call->options;
    const char *token = options->token ? options->token : getenv("IMAGESYNC_TOKEN");

    sync->server.ca_file = options->ca;
    if (token && token[0]) {
        if (!remote_is_plain(token)) {
            return cli_usage(call->command, "--token: that is no API key");
        }
        sync->server.token = token;
        return EXIT_OK;
    }
    if (credentials_path(call->arena, &sync->server.credentials_path) < 0) {
        return cli_no_start("neither XDG_CONFIG_HOME nor HOME says where credentials are kept");
    }
    return EXIT_OK;
}

/* Files that are to be sent or fetched yet, in the ways that are taken. */
static int64_t left_to_do(SyncDir *sync) {
    StateCounts counts = {0};

    (void)state_counts(&sync->state, &counts); /* 0 then: it is an addition to what was said */
    return (sync->pull_only ? 0 : counts.waiting) + (sync->push_only ? 0 : counts.wanted);
}

static int run(const CliCall *call, SyncDir *sync) {
    const SyncDirOptions *options = call->options;
    int status = find_server(call, sync);

    if (status == EXIT_OK) {
        status = find_credential(call, sync);
    }
    if (status != EXIT_OK) {
        return status;
    }
    report_start(&sync->report, options->quiet);
    sync->watch = WATCH_INIT;
    sync_link_server_start(&sync->server);
    status = engine_run(sync);
    sync_link_server_done(&sync->server);
    watch_done(&sync->watch);
    report_end(&sync->report, left_to_do(sync));
    report_done(&sync->report);
    return status;
}

static int stop_signals(void) {
    sigset_t ending;

    signal(SIGIO, SIG_IGN);   /* that a lease is broken: see reconcile.c */
    signal(SIGXFSZ, SIG_IGN); /* that a file may not grow: the write says so */
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    return signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
}

int sync_dir_command(const CliCall *call) {
    const SyncDirOptions *options = call->options;
    _cleanup_(fd_closep) int stop = -1;
    const char *error = "";
    SyncDir sync = {.once = options->once,
                    .pull_only = options->pull_only,
                    .push_only = options->push_only,
                    .delete_to_trash = options->delete_to_trash,
                    .settle_s = options->settle_s};
    int status;

    if (options->pull_only && options->push_only) {
        return cli_usage(call->command, "--pull-only and --push-only leave nothing to do");
    }
    stop = stop_signals();
    if (stop < 0) {
        return cli_no_start("%s", strerrordesc_np(errno));
    }
    sync.stop_fd = sync.server.stop_fd = stop;
    if (sync_folder_open(call->arguments[0], false, call->arena, &sync.folder, &error) < 0 ||
        state_open(sync.folder.state_path, false, call->arena, &sync.state, &error) < 0) {
        status = cli_no_start("%s", error);
    } else {
        status = run(call, &sync);
        state_done(&sync.state);
    }
    sync_folder_done(&sync.folder);
    return status;
}

static int print_refused(State *state, Arena *arena) {
    StateFile *files;
    size_t n;
    int r = state_files(state, arena, &files, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        if (files[i].refused[0]) {
            fputs("  ", stdout);
            terminal_print(stdout, files[i].path.ptr);
            fputs(": ", stdout);
            terminal_print(stdout, files[i].refused);
            fputc('\n', stdout);
        }
    }
    return r;
}

static int print_status(const CliCall *call, const SyncFolder *folder, State *state) {
    const char *server = "";
    StateCounts counts;
    int64_t cursor = 0;
    int r = state_counts(state, &counts);

    if (r == 0) {
        r = state_get(state, "server", call->arena, &server);
    }
    if (r == 0) {
        r = state_get_int(state, "cursor", &cursor);
    }
    if (r < 0) {
        return cli_no_start("%s: %s", folder->state_path, strerrordesc_np(-r));
    }
    printf("folder    %s\nserver    %s\ncursor    %lld\n", folder->path, server, (long long)cursor);
    printf("in sync   %lld\nto send   %lld\nto fetch  %lld\nnot kept  %lld\ntrash     %lld\n",
           (long long)counts.synced, (long long)counts.waiting, (long long)counts.wanted,
           (long long)counts.unkept, (long long)counts.trashed);
    printf("not sent  %lld\n", (long long)counts.refused);
    return print_refused(state, call->arena) < 0 ? EXIT_SOME_FAILED : EXIT_OK;
}

int sync_dir_status_command(const CliCall *call) {
    const char *error = "";
    SyncFolder folder;
    State state;
    int status;

    if (sync_folder_open(call->arguments[0], true, call->arena, &folder, &error) < 0 ||
        state_open(folder.state_path, true, call->arena, &state, &error) < 0) {
        status = cli_no_start("%s", error);
    } else {
        status = print_status(call, &folder, &state);
        state_done(&state);
    }
    sync_folder_done(&folder);
    return status;
}
