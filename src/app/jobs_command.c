/* SPDX-License-Identifier: Apache-2.0 */
#include "app/jobs_command.h"

#include "app/registry.h"
#include "base/clock.h"
#include "base/json.h"

#include <time.h>

const CliOption jobs_dead_options[] = {
    {"json", 0, CLI_FLAG, offsetof(JobsDeadOptions, json), .help = "Print a JSON array."},
    {0},
};

const CliOption jobs_requeue_options[] = {
    {"all", 0, CLI_FLAG, offsetof(JobsRequeueOptions, all),
     .help = "All that failed before this was started."},
    {0},
};

/* The queue, and what is in its dead letter: the first QUEUE_LIST_MAX. */
typedef struct DeadLetter {
    Db *db;
    Queue *queue;
    QueueDead *jobs;
    size_t n;
} DeadLetter;

static void dead_letter_done(DeadLetter *letter) {
    queue_free(letter->queue);
    db_free(letter->db);
}

static int explain(const CliCall *call, int r) {
    return cli_no_start("%s: the queue does not answer: %s", call->command->name,
                        strerrordesc_np(-r));
}

static int look(const CliCall *call, DeadLetter *letter) {
    int r = queue_dead_list(letter->queue, QUEUE_LIST_MAX, call->arena, &letter->jobs, &letter->n);

    return r < 0 ? explain(call, r) : EXIT_OK;
}

static int open_letter(const CliCall *call, DeadLetter *letter) {
    const char *error = "";

    if (registry_open_database(call->settings, true, call->arena, &letter->db, &error) < 0 ||
        registry_open_queue(call->settings, letter->db, QUEUE_USE_LOOK, NULL, call->arena,
                            &letter->queue, &error) < 0) {
        return cli_no_start("%s", error);
    }
    return look(call, letter);
}

static const char *when_text(int64_t at_us, Arena *arena) {
    time_t seconds = (time_t)(at_us / 1000000);
    char text[32];
    struct tm parts;

    if (at_us == 0) {
        return NULL; /* its worker died, and nobody looked at the clock */
    }
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return arena_strdup(arena, str_from(text));
}

static json_t *describe(const QueueDead *job, Arena *arena) {
    const char *when = when_text(job->died_us, arena);
    char id[UUID_TEXT_SIZE], user[UUID_TEXT_SIZE];

    uuid_text(&job->id, id);
    uuid_text(&job->user_id, user);
    return json_pack("{s:s,s:s,s:s,s:i,s:s,s:s?}", "id", id, "kind", job->kind, "user", user,
                     "attempts", (int)job->attempts, "reason", job->reason, "died", when);
}

static void print_json(const DeadLetter *letter, Arena *arena) {
    _cleanup_(json_decrefp) json_t *list = json_array();

    for (size_t i = 0; i < letter->n; i++) {
        json_array_append_new(list, describe(&letter->jobs[i], arena));
    }
    json_dumpf(list, stdout, JSON_INDENT(2));
    putchar('\n');
}

int jobs_dead_command(const CliCall *call) {
    const JobsDeadOptions *options = call->options;
    _cleanup_(dead_letter_done) DeadLetter letter = {0};
    int status = open_letter(call, &letter);

    if (status != EXIT_OK) {
        return status;
    }
    if (options->json) {
        print_json(&letter, call->arena);
        return EXIT_OK;
    }
    for (size_t i = 0; i < letter.n; i++) {
        const QueueDead *job = &letter.jobs[i];
        const char *when = when_text(job->died_us, call->arena);
        char id[UUID_TEXT_SIZE], user[UUID_TEXT_SIZE];
        uuid_text(&job->id, id);
        uuid_text(&job->user_id, user);
        printf("%s  %s  user %s  %s  attempts %u  %s\n", id, job->kind, user, when ? when : "-",
               job->attempts, job->reason);
    }
    if (letter.n == QUEUE_LIST_MAX) {
        fprintf(stderr, "These are the first %d; there may be more.\n", QUEUE_LIST_MAX);
    }
    return EXIT_OK;
}

typedef int DeadChange(Queue *queue, const Uuid *user_id, const Uuid *id);

static int requeue(Queue *queue, const Uuid *user_id, const Uuid *id) {
    return queue_dead_requeue(queue, user_id, id);
}

static int drop(Queue *queue, const Uuid *user_id, const Uuid *id) {
    return queue_dead_remove(queue, user_id, id);
}

static const QueueDead *find(const DeadLetter *letter, const Uuid *id) {
    for (size_t i = 0; i < letter->n; i++) {
        if (uuid_equal(&letter->jobs[i].id, id)) {
            return &letter->jobs[i];
        }
    }
    return NULL;
}

/* EXIT_SOME_FAILED when some of them are not there (any more). */
static int change_named(const CliCall *call, DeadChange *change, const char *done) {
    _cleanup_(dead_letter_done) DeadLetter letter = {0};
    Uuid *ids = arena_alloc(call->arena, call->n_arguments * sizeof(*ids));
    int status;

    for (size_t i = 0; i < call->n_arguments; i++) {
        if (uuid_parse(str_from(call->arguments[i]), &ids[i]) < 0) {
            return cli_usage(call->command, "'%s' is no job's id", call->arguments[i]);
        }
    }
    status = open_letter(call, &letter);
    for (size_t i = 0; i < call->n_arguments && status != EXIT_NO_START; i++) {
        const QueueDead *job = find(&letter, &ids[i]);
        int r = job ? change(letter.queue, &job->user_id, &job->id) : QUEUE_E_NONE;
        if (r < 0) {
            return explain(call, r);
        }
        if (r == 0) {
            printf("%s %s.\n", call->arguments[i], done);
        } else {
            fprintf(stderr, "imagesync %s: no job %s failed for good\n", call->command->name,
                    call->arguments[i]);
            status = EXIT_SOME_FAILED;
        }
    }
    return status;
}

/* *ret_n: how many of those that are listed. */
static int requeue_listed(const CliCall *call, const DeadLetter *letter, int64_t before_us,
                          size_t *ret_n) {
    *ret_n = 0;
    for (size_t i = 0; i < letter->n; i++) {
        const QueueDead *job = &letter->jobs[i];
        int r;
        if (job->died_us >= before_us) {
            continue; /* one of ours that failed again */
        }
        r = requeue(letter->queue, &job->user_id, &job->id);
        if (r < 0) {
            return explain(call, r);
        }
        *ret_n += r == 0;
    }
    return EXIT_OK;
}

static int requeue_all(const CliCall *call) {
    _cleanup_(dead_letter_done) DeadLetter letter = {0};
    int64_t before_us = clock_unix_us();
    size_t n = 0, total = 0;
    int status = open_letter(call, &letter);

    while (status == EXIT_OK && letter.n > 0) {
        status = requeue_listed(call, &letter, before_us, &n);
        total += n;
        if (n == 0 || letter.n < QUEUE_LIST_MAX || status != EXIT_OK) {
            break;
        }
        status = look(call, &letter);
    }
    if (status == EXIT_OK) {
        printf("%zu job%s put back.\n", total, total == 1 ? "" : "s");
    }
    return status;
}

int jobs_requeue_command(const CliCall *call) {
    const JobsRequeueOptions *options = call->options;

    if (options->all == (call->n_arguments > 0)) {
        return cli_usage(call->command, "give IDs, or --all");
    }
    return options->all ? requeue_all(call) : change_named(call, requeue, "is put back");
}

int jobs_drop_command(const CliCall *call) {
    return change_named(call, drop, "is dropped");
}
