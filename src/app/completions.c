/* SPDX-License-Identifier: Apache-2.0 */

/* Completions for bash, zsh and fish, from the tables that parse. */

#include "app/cli.h"

#include <string.h>

/* The first word of a command's name, and whether there is a second. */
static size_t first_word(const CliCommand *command) {
    return strcspn(command->name, " ");
}

static bool same_first_word(const CliCommand *a, const CliCommand *b) {
    return first_word(a) == first_word(b) && strncmp(a->name, b->name, first_word(a)) == 0;
}

/* Whether an earlier command has the same first word. */
static bool seen_before(const CliCommand *command) {
    for (const CliCommand *other = cli_commands; other != command; other++) {
        if (same_first_word(other, command)) {
            return true;
        }
    }
    return false;
}

/* Whether it is the first of those that have its first word and a second one. */
static bool begins_family(const CliCommand *command) {
    return strchr(command->name, ' ') && !seen_before(command);
}

typedef void OptionFn(const CliCommand *command, const CliOption *option);

/* Calls `print` for each option of the command, settings among them. */
static void each_option(const CliCommand *command, OptionFn *print) {
    const CliOption *const tables[] = {command->options, cli_common_options};
    ConfigGroup groups[SETTINGS_GROUPS];

    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        for (const CliOption *option = tables[i]; option && option->name; option++) {
            print(command, option);
        }
    }
    settings_groups(NULL, groups);
    for (size_t i = 0; i < SETTINGS_GROUPS; i++) {
        for (const ConfigField *field = groups[i].fields; field->name; field++) {
            if (command->settings & 1u << i) {
                print(command,
                      &(CliOption){.name = field->name,
                                   .kind = field->type == CONFIG_BOOL ? CLI_FLAG : CLI_TEXT,
                                   .help = field->help});
            }
        }
    }
}

static void print_choices(const char *const *choices) {
    for (; choices && *choices; choices++) {
        printf(" %s", *choices);
    }
}

static void print_first_words(void) {
    for (const CliCommand *command = cli_commands; command->name; command++) {
        if (!seen_before(command)) {
            printf(" %.*s", (int)first_word(command), command->name);
        }
    }
}

static void print_second_words(const CliCommand *family) {
    for (const CliCommand *command = cli_commands; command->name; command++) {
        if (same_first_word(command, family)) {
            printf("%s", strchr(command->name, ' '));
        }
    }
}

/* The arguments that a command can have; false when they are none of a few. */
static bool has_arguments(const CliCommand *command) {
    return command->choices || command->run == cli_help_command;
}

static void print_arguments(const CliCommand *command) {
    if (command->run == cli_help_command) {
        print_first_words();
    } else {
        print_choices(command->choices);
    }
}

static void bash_option(const CliCommand *command, const CliOption *option) {
    (void)command;
    printf(" --%s", option->name);
    if (option->letter) {
        printf(" -%c", option->letter);
    }
}

static void bash_choice(const CliCommand *command, const CliOption *option) {
    if (option->choices) {
        printf("  '%s --%s'", command->name, option->name);
        if (option->letter) {
            printf(" | '%s -%c'", command->name, option->letter);
        }
        fputs(") choices='", stdout);
        print_choices(option->choices);
        printf("' ;;\n");
    }
}

static void print_bash(void) {
    fputs("# bash completion of imagesync; source <(imagesync completions bash)\n"
          "_imagesync() {\n"
          "  local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]}\n"
          "  local command=${COMP_WORDS[1]} options='' arguments='' choices=''\n"
          "  COMPREPLY=()\n"
          "  # --format=png are three words here\n"
          "  if [[ $word == = ]]; then word=''; fi\n"
          "  if [[ $last == = ]]; then last=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
          "  if ((COMP_CWORD == 1)); then\n    choices='",
          stdout);
    print_first_words();
    fputs("'\n  fi\n  case $command in\n", stdout);
    for (const CliCommand *command = cli_commands; command->name; command++) {
        if (begins_family(command)) {
            printf("  %.*s)\n    if ((COMP_CWORD == 2)); then choices='", (int)first_word(command),
                   command->name);
            print_second_words(command);
            fputs("'; fi\n    command+=\" ${COMP_WORDS[2]}\" ;;\n", stdout);
        }
    }
    fputs("  esac\n  case $command in\n", stdout);
    for (const CliCommand *command = cli_commands; command->name; command++) {
        printf("  '%s') arguments='", command->name);
        print_arguments(command);
        fputs("' options='", stdout);
        each_option(command, bash_option);
        fputs("' ;;\n", stdout);
    }
    fputs("  esac\n  case \"$command $last\" in\n", stdout);
    for (const CliCommand *command = cli_commands; command->name; command++) {
        each_option(command, bash_choice);
    }
    fputs("  esac\n"
          "  if [[ -n $choices ]]; then COMPREPLY=($(compgen -W \"$choices\" -- \"$word\"))\n"
          "  elif [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
          "  elif [[ -n $arguments ]]; then COMPREPLY=($(compgen -W \"$arguments\" -- \"$word\"))\n"
          "  else compopt -o default 2>/dev/null; fi\n"
          "}\n"
          "complete -F _imagesync imagesync\n",
          stdout);
}

/* Text within single quotes of a shell; colons and brackets mean something to zsh's _arguments. */
static void print_quoted(const char *text, const char *escaped) {
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
        } else if (strchr(escaped, *text)) {
            printf("\\%c", *text);
        } else {
            putchar(*text);
        }
    }
}

static void zsh_option(const CliCommand *command, const CliOption *option) {
    const char *value = option->kind == CLI_FLAG ? "" : "=";

    (void)command;
    if (option->letter) {
        printf("      '(-%c --%s)'{-%c%s,--%s%s}'[", option->letter, option->name, option->letter,
               option->kind == CLI_FLAG ? "" : "+", option->name, value);
    } else {
        printf("      '--%s%s%s[", option->name, value,
               option->kind == CLI_READ_OPTIONAL ? "-" : "");
    }
    print_quoted(option->help, "[]:\\");
    fputs("]", stdout);
    if (option->kind != CLI_FLAG) {
        printf(":%s%s:", option->kind == CLI_READ_OPTIONAL ? ":" : "",
               option->value ? option->value : "VALUE");
        if (option->choices) {
            fputs("(", stdout);
            print_choices(option->choices);
            fputs(")", stdout);
        } else {
            fputs("_files", stdout);
        }
    }
    fputs("' \\\n", stdout);
}

static void print_zsh(void) {
    fputs("#compdef imagesync\n"
          "_imagesync() {\n"
          "  local command=$words[2]\n"
          "  if ((CURRENT == 2)); then\n    compadd",
          stdout);
    print_first_words();
    fputs("\n    return\n  fi\n  case $command in\n", stdout);
    for (const CliCommand *command = cli_commands; command->name; command++) {
        if (begins_family(command)) {
            printf("  %.*s)\n    if ((CURRENT == 3)); then\n      compadd",
                   (int)first_word(command), command->name);
            print_second_words(command);
            fputs("\n      return\n    fi\n    command+=\" $words[3]\" ;;\n", stdout);
        }
    }
    fputs("  esac\n  case $command in\n", stdout);
    for (const CliCommand *command = cli_commands; command->name; command++) {
        printf("  '%s')\n    _arguments \\\n", command->name);
        each_option(command, zsh_option);
        if (has_arguments(command)) {
            fputs("      '*:argument:(", stdout);
            print_arguments(command);
            fputs(")' ;;\n", stdout);
        } else {
            fputs("      '*:file:_files' ;;\n", stdout);
        }
    }
    fputs("  esac\n}\n_imagesync \"$@\"\n", stdout);
}

static void fish_option(const CliCommand *command, const CliOption *option) {
    const char *space = strchr(command->name, ' ');

    printf("complete -c imagesync -n '__fish_seen_subcommand_from %.*s", (int)first_word(command),
           command->name);
    if (space) {
        printf("; and __fish_seen_subcommand_from %s", space + 1);
    }
    printf("' -l %s", option->name);
    if (option->letter) {
        printf(" -s %c", option->letter);
    }
    if (option->kind != CLI_FLAG && option->kind != CLI_READ_OPTIONAL) {
        fputs(" -r", stdout);
    }
    if (option->choices) {
        fputs(" -f -a '", stdout);
        print_choices(option->choices);
        fputs("'", stdout);
    }
    fputs(" -d '", stdout);
    print_quoted(option->help, "\\");
    fputs("'\n", stdout);
}

static void print_fish(void) {
    fputs("# fish completion of imagesync\n", stdout);
    for (const CliCommand *command = cli_commands; command->name; command++) {
        const char *space = strchr(command->name, ' ');
        if (space) {
            printf("complete -c imagesync -n '__fish_seen_subcommand_from %.*s' -f -a %s -d '",
                   (int)first_word(command), command->name, space + 1);
            print_quoted(command->summary, "\\");
            fputs("'\n", stdout);
        }
        if (!seen_before(command)) {
            printf("complete -c imagesync -n __fish_use_subcommand -f -a %.*s -d '",
                   (int)first_word(command), command->name);
            if (space) {
                print_second_words(command);
            } else {
                print_quoted(command->summary, "\\");
            }
            fputs("'\n", stdout);
        }
        if (has_arguments(command)) {
            printf("complete -c imagesync -n '__fish_seen_subcommand_from %s' -f -a '",
                   command->name);
            print_arguments(command);
            fputs("'\n", stdout);
        }
        each_option(command, fish_option);
    }
}

int cli_completions_command(const CliCall *call) {
    static void (*const printers[])(void) = {print_bash, print_zsh, print_fish};

    for (size_t i = 0; i < ARRAY_LEN(printers); i++) {
        if (strcmp(call->arguments[0], call->command->choices[i]) == 0) {
            printers[i]();
            return EXIT_OK;
        }
    }
    return cli_usage(call->command, "'%s' is none of bash, zsh and fish", call->arguments[0]);
}
