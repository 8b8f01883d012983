/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The command line by table: one list of commands, each with a list of options. The same lists
 * parse, print --help, write the manual page and the shell completions, so none can drift.
 */

#include "app/exit_status.h"
#include "app/settings.h"

#include <stdio.h>

typedef enum CliKind {
    CLI_FLAG,          /* --name: sets a bool at `offset` */
    CLI_TEXT,          /* --name VALUE: sets a const char * at `offset` */
    CLI_READ,          /* --name VALUE: calls `read` */
    CLI_READ_OPTIONAL, /* --name or --name=VALUE: calls `read` with NULL or the value */
} CliKind;

typedef struct CliOption {
    const char *name;
    char letter; /* 'o' for -o; 0: none */
    CliKind kind;
    size_t offset;
    int (*read)(void *options, const char *text); /* 0, or -EINVAL */
    const char *value;                            /* what stands for the value in --help: "FILE" */
    const char *expects;                          /* "a colour: hex digits or a CSS name" */
    const char *const *choices;                   /* all values there are; may be NULL */
    const char *help;
} CliOption; /* a table ends with an option whose name is NULL */

typedef struct CliCommand CliCommand;

/* A command line that was understood. All of it lives as long as the call. */
typedef struct CliCall {
    const CliCommand *command;
    Arena *arena;
    void *options;          /* the command's own struct, options_size bytes */
    const char **arguments; /* what is no option */
    size_t n_arguments;
    Settings *settings;
    const Config *config;
    int argc; /* what followed the command's name, for a process that is started with the same */
    char **argv;
} CliCall;

struct CliCommand {
    const char *name;      /* "cutout", or two words: "models add" */
    const char *arguments; /* as the synopsis shows them: "IN... [-o OUT]" */
    const char *summary;   /* a line without a full stop */
    const char *details;   /* paragraphs for --help and the manual; may be NULL */
    const CliOption *options;
    size_t options_size;
    const void *options_init; /* what the options hold before any is read; NULL: zeros */
    unsigned settings;        /* SETTINGS_*: groups of settings that are options here too */
    size_t arguments_min, arguments_max;
    const char *const *choices;      /* the arguments there can be, for completions; may be NULL */
    int (*run)(const CliCall *call); /* returns an ExitStatus */
};

/* All commands, in the order that --help shows; the last has no name. */
extern const CliCommand cli_commands[];

/*
 * Finds the command in the first words of argv (the program's name not among them), parses the
 * rest, loads the settings and runs it. What is wrong is said in a sentence on standard error.
 * Returns an ExitStatus.
 */
int cli_main(int argc, char **argv);

/* Parses argv as this command's, loads the settings and runs it. */
int cli_run(const CliCommand *command, int argc, char **argv);

/* The command whose name is all of `words`, of which *ret_used were needed; or NULL. */
const CliCommand *cli_find(char **words, int n_words, int *ret_used);

/* Says what is wrong: "imagesync cutout: ..." with a hint at --help. Returns EXIT_USAGE. */
int cli_usage(const CliCommand *command, const char *format, ...) printf_like(2, 3);
/* The same for what cannot start. Returns EXIT_NO_START. */
int cli_no_start(const char *format, ...) printf_like(1, 2);

/* Options that every command has: --help. */
extern const CliOption cli_common_options[];

void cli_print_overview(FILE *out);
void cli_print_help(const CliCommand *command, FILE *out);

int cli_help_command(const CliCall *call);
int cli_version_command(const CliCall *call);
int cli_completions_command(const CliCall *call);
int cli_manual_command(const CliCall *call);

/* The name among `names` (count of them, some NULL) most like `word`, or NULL when none is near. */
const char *cli_nearest(const char *word, const char *const *names, size_t count);
