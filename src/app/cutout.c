/* SPDX-License-Identifier: Apache-2.0 */
#include "app/cutout.h"

#include "app/cutout_inputs.h"
#include "app/cutout_options.h"
#include "app/cutout_run.h"
#include "app/file_io.h"
#include "app/registry.h"
#include "base/error.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_folder(const char *path) {
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Decides what is read and where it goes, and refuses what cannot be meant. */
static int plan(const CliCall *call, InputList *ret_list, Plan *ret_plan) {
    const CutoutOptions *options = call->options;
    InputOptions how = {
        .recursive = options->recursive, .skip_results = !options->out, .out = options->out};
    PlanRequest request = {.out = options->out,
                           .out_is_folder = options->out && is_folder(options->out),
                           .format = (OutputFormat)options->recipe.format};
    const char *error = "";
    size_t stdins = 0;
    int r;

    for (size_t i = 0; i < call->n_arguments; i++) {
        stdins += strcmp(call->arguments[i], "-") == 0;
    }
    stdins += options->bg_image && strcmp(options->bg_image, "-") == 0;
    if (stdins > 1) {
        return cli_usage(call->command, "standard input can be read only once");
    }
    if (stdins > 0 && isatty(STDIN_FILENO)) {
        return cli_usage(call->command, "standard input is a terminal; give a file or a pipe");
    }
    r = cutout_inputs_find(call->arguments, call->n_arguments, &how, call->arena, ret_list);
    if (r < 0) {
        return cli_usage(call->command, "there are more than %d pictures", INPUTS_MAX);
    }
    request.inputs = ret_list->inputs;
    request.n_inputs = ret_list->n_inputs;
    request.many = ret_list->many || call->n_arguments > 1;
    if (output_plan(&request, call->arena, ret_plan, &error) < 0) {
        return cli_usage(call->command, "%s", error);
    }
    for (size_t i = 0; i < ret_list->n_inputs; i++) {
        if (strcmp(ret_plan->outputs[i], "-") == 0 && options->json) {
            return cli_usage(call->command, "--json and a picture would mix on standard output; "
                                            "give -o a file");
        }
        if (strcmp(ret_plan->outputs[i], "-") == 0 && isatty(STDOUT_FILENO)) {
            return cli_usage(call->command, "standard output is a terminal; give -o a file");
        }
    }
    return EXIT_OK;
}

/* The folders of the outputs; those in folders only where inputs were found in folders. */
static int make_folders(const Plan *plan, size_t n_outputs, Arena *arena) {
    const char *last = NULL;

    for (size_t i = 0; plan->folder && i < n_outputs; i++) {
        const char *slash = strrchr(plan->outputs[i], '/');
        const char *folder =
            arena_strdup(arena, (Str){plan->outputs[i], (size_t)(slash - plan->outputs[i])});
        if (folder[0] != '\0' && (!last || strcmp(last, folder) != 0)) {
            int r = file_make_folders(folder);
            if (r < 0) {
                return cli_no_start("cannot make the folder %s: %s", folder, strerror(-r));
            }
            last = folder;
        }
    }
    return EXIT_OK;
}

static int open_signals(void) {
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    /* Blocked before any thread starts, so that every thread leaves them to the descriptor. */
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int start_renderer(const CliCall *call, unsigned jobs, Renderer **ret_renderer) {
    PoolOptions pool = registry_pool_options(call->settings);
    int r;

    pool.workers = jobs;
    pool.queue_max = MAX(pool.queue_max, jobs * 2);
    pool.matte_cache_max = 0; /* no photo comes twice */
    r = renderer_pool_new(&pool, ret_renderer);
    if (r < 0) {
        return cli_no_start("cannot start the workers: %s", strerror(-r));
    }
    return EXIT_OK;
}

static void report_missing(const InputList *list, Progress *progress) {
    for (size_t i = 0; i < list->n_failures; i++) {
        progress_event(progress, &(ProgressEvent){.input = list->failures[i].path,
                                                  .status = "not_found",
                                                  .detail = list->failures[i].detail});
    }
}

static int run(const CliCall *call, const InputList *list, const Plan *plan, int background,
               uint64_t background_len) {
    const CutoutOptions *options = call->options;
    unsigned jobs = (unsigned)MIN(options->jobs ? options->jobs : call->settings->workers,
                                  MAX(list->n_inputs, (size_t)1));
    _cleanup_(fd_closep) int signal_fd = open_signals();
    ProgressOptions shown = {options->json, options->quiet, list->n_inputs + list->n_failures};
    Recipe recipe = options->recipe;
    Renderer *renderer = NULL;
    Progress progress;
    int status, r = 0;

    if (list->n_inputs > 0) {
        status = start_renderer(call, jobs, &renderer);
        if (status != EXIT_OK) {
            return status;
        }
    }
    recipe.format = plan->format;
    progress_start(&progress, &shown);
    report_missing(list, &progress);
    if (renderer) {
        r = cutout_run(&(CutoutRun){.renderer = renderer,
                                    .inputs = list->inputs,
                                    .outputs = plan->outputs,
                                    .n_inputs = list->n_inputs,
                                    .recipe = &recipe,
                                    .background = {.fd = background, .len = background_len},
                                    .jobs = jobs,
                                    .force = options->force,
                                    .signal_fd = signal_fd,
                                    .progress = &progress});
    }
    progress_end(&progress, r == CUTOUT_E_INTERRUPTED);
    if (r < 0) {
        return cli_no_start("the renderer failed: %s", strerror(-r));
    }
    if (r == CUTOUT_E_INTERRUPTED) {
        return EXIT_INTERRUPTED;
    }
    return progress.failed > 0 ? EXIT_SOME_FAILED : EXIT_OK;
}

int cutout_command(const CliCall *call) {
    CutoutOptions *options = call->options;
    _cleanup_(fd_closep) int background = -1;
    uint64_t background_len = 0;
    const char *error = "";
    InputList list = {0};
    Plan outputs = {0};
    int status;

    if (cutout_options_check(options, &error) < 0) {
        return cli_usage(call->command, "%s", error);
    }
    status = plan(call, &list, &outputs);
    if (status != EXIT_OK) {
        return status;
    }
    if (options->bg_image) {
        int r =
            file_read_sealed(options->bg_image, CUTOUT_FILE_MAX, -1, &background, &background_len);
        if (r < 0) {
            return cli_no_start("cannot read the background %s: %s", options->bg_image,
                                strerror(-r));
        }
    }
    if (list.n_inputs > 0 && registry_check_model(call->settings, call->arena, &error) < 0) {
        return cli_no_start("%s", error);
    }
    status = make_folders(&outputs, list.n_inputs, call->arena);
    if (status != EXIT_OK) {
        return status;
    }
    return run(call, &list, &outputs, background, background_len);
}
