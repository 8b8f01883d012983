/* SPDX-License-Identifier: Apache-2.0 */

/* --help, from the tables that parse. */

#include "app/cli.h"

#include <string.h>

#define WIDTH     90
#define LEFT_MAX  30
#define LEFT_SIZE 128

/* Prints words from column `at` on, broken at WIDTH, further lines indented by `indent`. */
static void print_wrapped(FILE *out, const char *text, size_t at, size_t indent) {
    Str rest = str_from(text), word;
    bool first = true;

    while (str_next_token(&rest, " ", &word)) {
        if (!first && at + 1 + word.len > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!first) {
            fputc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", (int)word.len, word.ptr);
        at += word.len;
        first = false;
    }
    fputc('\n', out);
}

/* Paragraphs, parted by newlines; one that starts with a blank is an example and kept as it is. */
static void print_paragraphs(FILE *out, const char *text) {
    Str rest = str_from(text), line;

    while (rest.len > 0 && str_next_token(&rest, "\n", &line)) {
        char copy[2048];
        snprintf(copy, sizeof(copy), "%.*s", (int)line.len, line.ptr);
        if (copy[0] == ' ' || copy[0] == '\0') {
            fprintf(out, "%s\n", copy);
        } else {
            print_wrapped(out, copy, 0, 0);
        }
    }
}

static void print_entry(FILE *out, const char *left, const char *help) {
    size_t len = strlen(left);

    fputs(left, out);
    if (len + 2 > LEFT_MAX) {
        fprintf(out, "\n%*s", LEFT_MAX, "");
    } else {
        fprintf(out, "%*s", (int)(LEFT_MAX - len), "");
    }
    print_wrapped(out, help, LEFT_MAX, LEFT_MAX);
}

static void print_options(FILE *out, const CliOption *option) {
    for (; option && option->name; option++) {
        char left[LEFT_SIZE];
        char letter[] = {'-', option->letter, ',', ' ', '\0'};
        snprintf(left, sizeof(left), "  %s--%s%s%s%s", option->letter ? letter : "    ",
                 option->name,
                 option->kind == CLI_READ_OPTIONAL ? "[="
                 : option->value                   ? " "
                                                   : "",
                 option->value ? option->value : "", option->kind == CLI_READ_OPTIONAL ? "]" : "");
        print_entry(out, left, option->help);
    }
}

static void print_settings(FILE *out, unsigned mask) {
    ConfigGroup groups[SETTINGS_GROUPS];

    settings_groups(NULL, groups);
    for (size_t i = 0; i < SETTINGS_GROUPS; i++) {
        if (!(mask & 1u << i)) {
            continue;
        }
        fprintf(out, "\n%s settings (also in a file, or IMAGESYNC_NAME in the environment):\n",
                groups[i].title);
        for (const ConfigField *field = groups[i].fields; field->name; field++) {
            char left[LEFT_SIZE], help[1024];
            bool has_default =
                field->fallback && field->fallback[0] && strcmp(field->fallback, "0") != 0;
            snprintf(left, sizeof(left), "      --%s%s%s", field->name,
                     field->type == CONFIG_BOOL ? "" : " ",
                     field->type == CONFIG_U64    ? "N"
                     : field->type == CONFIG_BOOL ? ""
                                                  : "VALUE");
            snprintf(help, sizeof(help), "%s%s%s%s", field->help, has_default ? " Default: " : "",
                     has_default ? field->fallback : "", has_default ? "." : "");
            print_entry(out, left, help);
        }
    }
}

void cli_print_help(const CliCommand *command, FILE *out) {
    fprintf(out, "Usage: imagesync %s%s%s\n\n%s.\n", command->name,
            command->arguments[0] ? " " : "", command->arguments, command->summary);
    if (command->details) {
        fputc('\n', out);
        print_paragraphs(out, command->details);
    }
    fputs("\nOptions:\n", out);
    print_options(out, command->options);
    print_options(out, cli_common_options);
    print_settings(out, command->settings);
}

void cli_print_overview(FILE *out) {
    fputs("Image Sync cuts the background out of photos, on your own machine.\n\n"
          "Usage: imagesync COMMAND [OPTION...]\n\nCommands:\n",
          out);
    for (const CliCommand *command = cli_commands; command->name; command++) {
        fprintf(out, "  %-19s %s\n", command->name, command->summary);
    }
    fputs("\nimagesync COMMAND --help tells the options of each.\n\n"
          "Exit status: 0 all is done; 1 some inputs failed, or standard output did not take all;\n"
          "2 the command line or the settings are wrong; 3 nothing could start (no model, address\n"
          "in use, ...); 130 interrupted.\n",
          out);
}

int cli_help_command(const CliCall *call) {
    char *words[2] = {NULL, NULL};
    const CliCommand *command;
    int used = 0;

    for (size_t i = 0; i < call->n_arguments; i++) {
        words[i] = (char *)call->arguments[i];
    }
    if (call->n_arguments == 0) {
        cli_print_overview(stdout);
        return EXIT_OK;
    }
    command = cli_find(words, (int)call->n_arguments, &used);
    if (!command || used != (int)call->n_arguments) {
        return cli_usage(NULL, "there is no command '%s%s%s'", words[0], words[1] ? " " : "",
                         words[1] ? words[1] : "");
    }
    cli_print_help(command, stdout);
    return EXIT_OK;
}

int cli_version_command(const CliCall *call) {
    (void)call;
    printf("imagesync %s\n", IMAGESYNC_VERSION);
    return EXIT_OK;
}
