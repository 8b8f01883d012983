/* SPDX-License-Identifier: Apache-2.0 */

/* The manual page in man(7)'s macros, from the tables that parse. */

#include "app/cli.h"

#include <string.h>

/* Plain text for roff: backslashes, hyphens that are meant, and control characters in front. */
static void print_text(const char *text, size_t len) {
    if (len > 0 && (text[0] == '.' || text[0] == '\'')) {
        fputs("\\&", stdout);
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\\') {
            fputs("\\e", stdout);
        } else if (text[i] == '-') {
            fputs("\\-", stdout);
        } else {
            putchar(text[i]);
        }
    }
}

static void print_line(const char *text) {
    print_text(text, strlen(text));
    putchar('\n');
}

static void print_details(const char *details) {
    Str rest = str_from(details), line;

    while (str_next_token(&rest, "\n", &line)) {
        if (line.len == 0) {
            if (rest.len > 0) {
                puts(".PP");
            }
        } else if (line.ptr[0] == ' ') {
            puts(".RS\n.nf");
            print_text(line.ptr + 2, line.len - 2);
            puts("\n.fi\n.RE");
        } else {
            print_text(line.ptr, line.len);
            putchar('\n');
        }
    }
}

static void print_options(const CliOption *option) {
    for (; option && option->name; option++) {
        puts(".TP");
        fputs(".B ", stdout);
        if (option->letter) {
            printf("\\-%c\\fR, \\fB", option->letter);
        }
        fputs("\\-\\-", stdout);
        print_text(option->name, strlen(option->name));
        if (option->value) {
            printf("%s\\fI%s\\fR%s", option->kind == CLI_READ_OPTIONAL ? "\\fR[=" : " ",
                   option->value, option->kind == CLI_READ_OPTIONAL ? "]" : "");
        }
        putchar('\n');
        print_line(option->help);
    }
}

static void print_commands(void) {
    puts(".SH COMMANDS");
    for (const CliCommand *command = cli_commands; command->name; command++) {
        printf(".SS imagesync %s ", command->name);
        print_line(command->arguments);
        printf("%s.\n", command->summary);
        if (command->details) {
            puts(".PP");
            print_details(command->details);
        }
        print_options(command->options);
    }
}

static void print_settings(void) {
    ConfigGroup groups[SETTINGS_GROUPS];

    puts(".SH SETTINGS\n"
         "Each is an option (\\fB\\-\\-queue\\-max 10\\fR), a variable of the environment "
         "(\\fBIMAGESYNC_QUEUE_MAX=10\\fR) and a line of the file that \\fB\\-\\-config\\fR names "
         "(\\fBqueue\\-max = 10\\fR).\nAn option wins over the environment, that over the file.\n"
         "\\fBimagesync config\\fR prints them all.");
    settings_groups(NULL, groups);
    for (size_t i = 0; i < SETTINGS_GROUPS; i++) {
        printf(".SS %s\n", groups[i].title);
        for (const ConfigField *field = groups[i].fields; field->name; field++) {
            fputs(".TP\n.B \\-\\-", stdout);
            print_line(field->name);
            print_line(field->help);
            if (field->fallback && field->fallback[0]) {
                fputs("Default: ", stdout);
                print_text(field->fallback, strlen(field->fallback));
                puts(field->unit ? "" : ".");
                if (field->unit) {
                    printf("%s.\n", field->unit);
                }
            }
        }
    }
}

int cli_manual_command(const CliCall *call) {
    (void)call;
    puts(".\\\" SPDX-License-Identifier: Apache-2.0\n"
         ".\\\" Printed by 'imagesync manual' from the tables that parse the command line.\n"
         ".TH IMAGESYNC 1 \"\" \"Image Sync " IMAGESYNC_VERSION "\" \"User Commands\"\n"
         ".SH NAME\n"
         "imagesync \\- cut the background out of photos, on your own machine\n"
         ".SH SYNOPSIS\n"
         ".B imagesync\n"
         ".I COMMAND\n"
         "[\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]");
    print_commands();
    print_settings();
    puts(".SH EXIT STATUS\n"
         ".TP\n.B 0\nAll is done.\n"
         ".TP\n.B 1\nSome inputs failed; the others are done. Or standard output did not take all "
         "of what was written.\n"
         ".TP\n.B 2\nThe command line or the settings are wrong; nothing was done.\n"
         ".TP\n.B 3\nNothing could start: a model is missing, an address is in use, a folder "
         "cannot be written.\n"
         ".TP\n.B 130\nInterrupted; no half\\-written file is left.\n"
         ".SH FILES\n"
         ".TP\n.I DATA/models/NAME\nA model and its manifest.\n"
         ".TP\n.I DATA/cache\nCompiled models; may be deleted.");
    return EXIT_OK;
}
