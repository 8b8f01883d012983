/* SPDX-License-Identifier: Apache-2.0 */
#include "app/cli.h"

#include "app/terminal.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

/* Nobody types more flags than there are settings; each may be given a few times. */
#define FLAGS_MAX 128

const CliOption cli_common_options[] = {
    {"help", 'h', CLI_FLAG, .help = "Print this help and end."},
    {0},
};

typedef struct Parser {
    CliCall *call;
    SettingFlag flags[FLAGS_MAX];
    size_t n_flags;
    bool help;
    int at; /* the argument that is read next */
} Parser;

int cli_usage(const CliCommand *command, const char *format, ...) {
    va_list args;

    fprintf(stderr, "imagesync%s%s: ", command ? " " : "", command ? command->name : "");
    va_start(args, format);
    terminal_printfv(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry 'imagesync %s%s--help'.\n", command ? command->name : "",
            command ? " " : "");
    return EXIT_USAGE;
}

int cli_no_start(const char *format, ...) {
    va_list args;

    fputs("imagesync: ", stderr);
    va_start(args, format);
    terminal_printfv(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_NO_START;
}

/* Levenshtein's distance, by one row; words longer than the row are as far as can be. */
static size_t distance(const char *a, const char *b) {
    size_t row[64];
    size_t len = strlen(b);

    if (len >= ARRAY_LEN(row)) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(changed, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[len];
}

const char *cli_nearest(const char *word, const char *const *names, size_t count) {
    const char *best = NULL;
    size_t best_distance = MAX((size_t)1, strlen(word) / 3) + 1;

    for (size_t i = 0; i < count; i++) {
        size_t d = names[i] ? distance(word, names[i]) : SIZE_MAX;
        if (d < best_distance) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}

static const CliOption *find_option(const CliCommand *command, const char *name, char letter) {
    const CliOption *const tables[] = {command->options, cli_common_options};

    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        for (const CliOption *option = tables[i]; option && option->name; option++) {
            if (name ? strcmp(option->name, name) == 0 : option->letter == letter) {
                return option;
            }
        }
    }
    return NULL;
}

static int unknown_option(const CliCommand *command, const char *name) {
    const char *names[FLAGS_MAX];
    size_t n = 0;
    ConfigGroup groups[SETTINGS_GROUPS];
    const char *near;

    for (const CliOption *option = command->options; option && option->name; option++) {
        names[n++] = option->name;
    }
    settings_groups(NULL, groups);
    for (size_t i = 0; i < SETTINGS_GROUPS; i++) {
        for (const ConfigField *field = groups[i].fields; field->name; field++) {
            if (command->settings & 1u << i && n < ARRAY_LEN(names)) {
                names[n++] = field->name;
            }
        }
    }
    near = cli_nearest(name, names, n);
    return near ? cli_usage(command, "there is no option --%s; did you mean --%s?", name, near)
                : cli_usage(command, "there is no option --%s", name);
}

static int bad_value(const CliCommand *command, const CliOption *option, const char *value) {
    const char *near = NULL;
    size_t count = 0;

    while (option->choices && option->choices[count]) {
        count++;
    }
    near = cli_nearest(value, option->choices, count);
    return cli_usage(command, "--%s '%s': expected %s%s%s%s", option->name, value, option->expects,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* The value that stands in the same word, or the next word; NULL when there is none. */
static const char *take_value(Parser *parser, const char *attached) {
    CliCall *call = parser->call;

    if (attached) {
        return attached;
    }
    return parser->at < call->argc ? call->argv[parser->at++] : NULL;
}

static int read_option(Parser *parser, const CliOption *option, const char *attached) {
    const CliCommand *command = parser->call->command;
    char *base = parser->call->options;
    const char *value = NULL;

    if (option == &cli_common_options[0]) {
        parser->help = true;
        return EXIT_OK;
    }
    if (option->kind == CLI_FLAG) {
        if (attached) {
            return cli_usage(command, "--%s takes no value", option->name);
        }
        *(bool *)(base + option->offset) = true;
        return EXIT_OK;
    }
    value = option->kind == CLI_READ_OPTIONAL ? attached : take_value(parser, attached);
    if (!value && option->kind != CLI_READ_OPTIONAL) {
        return cli_usage(command, "--%s needs a value: %s", option->name,
                         option->expects ? option->expects : option->value);
    }
    if (option->kind == CLI_TEXT) {
        *(const char **)(base + option->offset) = value;
        return EXIT_OK;
    }
    return option->read(base, value) < 0 ? bad_value(command, option, value) : EXIT_OK;
}

static int read_setting(Parser *parser, const ConfigField *field, const char *attached) {
    const CliCommand *command = parser->call->command;
    const char *value;

    if (field->type == CONFIG_BOOL) {
        value = attached ? attached : "yes";
    } else {
        value = take_value(parser, attached);
    }
    if (!value) {
        return cli_usage(command, "--%s needs a value", field->name);
    }
    if (parser->n_flags == FLAGS_MAX) {
        return cli_usage(command, "there are too many options");
    }
    parser->flags[parser->n_flags++] = (SettingFlag){field, value};
    return EXIT_OK;
}

static int read_long(Parser *parser, const char *word) {
    const CliCommand *command = parser->call->command;
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const char *name = arena_strdup(parser->call->arena, (Str){word, len});
    const char *attached = equals ? equals + 1 : NULL;
    const CliOption *option = find_option(command, name, 0);
    const ConfigField *field;

    if (option) {
        return read_option(parser, option, attached);
    }
    field = settings_find(command->settings, name);
    if (field) {
        return read_setting(parser, field, attached);
    }
    return unknown_option(command, name);
}

/* Letters may be joined: -rq, -ofile. */
static int read_letters(Parser *parser, const char *letters) {
    const CliCommand *command = parser->call->command;

    for (; *letters; letters++) {
        const CliOption *option = find_option(command, NULL, *letters);
        const char *attached = letters[1] ? letters + 1 : NULL;
        int status;
        if (!option) {
            return cli_usage(command, "there is no option -%c", *letters);
        }
        if (option->kind == CLI_FLAG) {
            attached = NULL;
        }
        status = read_option(parser, option, attached);
        if (status != EXIT_OK || attached) {
            return status;
        }
    }
    return EXIT_OK;
}

static int read_words(Parser *parser) {
    CliCall *call = parser->call;
    bool only_arguments = false;

    while (parser->at < call->argc) {
        const char *word = call->argv[parser->at++];
        int status = EXIT_OK;
        if (only_arguments || word[0] != '-' || word[1] == '\0') {
            call->arguments[call->n_arguments++] = word;
        } else if (strcmp(word, "--") == 0) {
            only_arguments = true;
        } else if (word[1] == '-') {
            status = read_long(parser, word + 2);
        } else {
            status = read_letters(parser, word + 1);
        }
        if (status != EXIT_OK) {
            return status;
        }
    }
    return EXIT_OK;
}

static int check_arguments(const CliCall *call) {
    const CliCommand *command = call->command;

    if (call->n_arguments < command->arguments_min) {
        return cli_usage(command, "something is missing: imagesync %s %s", command->name,
                         command->arguments);
    }
    if (call->n_arguments > command->arguments_max) {
        return cli_usage(command, "'%s' is one argument too many",
                         call->arguments[command->arguments_max]);
    }
    return EXIT_OK;
}

int cli_run(const CliCommand *command, int argc, char **argv) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(config_freep) Config *config = NULL;
    Settings settings;
    CliCall call = {.command = command, .arena = arena, .argc = argc, .argv = argv};
    Parser parser = {.call = &call};
    LogLevel level = LOG_LEVEL_INFO;
    const char *error = "";
    int status;

    call.options = arena_alloc(arena, command->options_size + 1);
    if (command->options_init) {
        memcpy(call.options, command->options_init, command->options_size);
    }
    call.arguments = arena_alloc(arena, ((size_t)argc + 1) * sizeof(char *));
    status = read_words(&parser);
    if (status != EXIT_OK) {
        return status;
    }
    if (parser.help) {
        cli_print_help(command, stdout);
        return EXIT_OK;
    }
    status = check_arguments(&call);
    if (status != EXIT_OK) {
        return status;
    }
    if (settings_load(parser.flags, parser.n_flags, command->settings & SETTINGS_SERVER, arena,
                      &settings, &config, &error) < 0) {
        return cli_usage(command, "%s", error);
    }
    log_level_parse(settings.log_level, &level);
    log_setup(level, "imagesync");
    call.settings = &settings;
    call.config = config;
    return command->run(&call);
}

const CliCommand *cli_find(char **words, int n_words, int *ret_used) {
    for (const CliCommand *command = cli_commands; command->name; command++) {
        const char *space = strchr(command->name, ' ');
        if (!space && n_words >= 1 && strcmp(words[0], command->name) == 0) {
            *ret_used = 1;
            return command;
        }
        if (space && n_words >= 2 && strlen(words[0]) == (size_t)(space - command->name) &&
            strncmp(words[0], command->name, (size_t)(space - command->name)) == 0 &&
            strcmp(words[1], space + 1) == 0) {
            *ret_used = 2;
            return command;
        }
    }
    return NULL;
}

/* "models" alone or with a second word that is none of its commands. */
static int unknown_command(int argc, char **argv) {
    size_t len = strlen(argv[0]);
    const char *names[32];
    size_t n = 0;
    const char *near;
    bool family = false;

    for (const CliCommand *command = cli_commands; command->name; command++) {
        if (n < ARRAY_LEN(names)) {
            names[n++] = command->name;
        }
        family = family || (strncmp(command->name, argv[0], len) == 0 && command->name[len] == ' ');
    }
    if (family) {
        /* What follows a '=' may be a password of an option that was given too early. */
        fprintf(stderr, "imagesync %s: %s%.*s%s; there are:\n", argv[0],
                argc > 1 ? "there is no '" : "what to do is missing",
                argc > 1 ? (int)strcspn(argv[1], "=") : 0, argc > 1 ? argv[1] : "",
                argc > 1 ? "'" : "");
        for (size_t i = 0; i < n; i++) {
            if (strncmp(names[i], argv[0], len) == 0 && names[i][len] == ' ') {
                fprintf(stderr, "  imagesync %-16s %s\n", names[i], cli_commands[i].summary);
            }
        }
        return EXIT_USAGE;
    }
    near = cli_nearest(argv[0], names, n);
    return near ? cli_usage(NULL, "there is no command '%s'; did you mean '%s'?", argv[0], near)
                : cli_usage(NULL, "there is no command '%s'", argv[0]);
}

static int find_and_run(int argc, char **argv) {
    int used = 0;
    const CliCommand *command;

    if (argc == 0) {
        cli_print_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        cli_print_overview(stdout);
        return EXIT_OK;
    }
    if (strcmp(argv[0], "--version") == 0) {
        printf("imagesync %s\n", IMAGESYNC_VERSION);
        return EXIT_OK;
    }
    command = cli_find(argv, argc, &used);
    if (!command) {
        return unknown_command(argc, argv);
    }
    return cli_run(command, argc - used, argv + used);
}

int cli_main(int argc, char **argv) {
    int status = find_and_run(argc, argv);

    /* What nobody received was not done; that a reader has left, as head does, needs no words. */
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_OK) {
        if (errno != EPIPE) {
            fputs("imagesync: cannot write all of it to standard output\n", stderr);
        }
        status = EXIT_SOME_FAILED;
    }
    return status;
}
